//! GitHub's OpenAPI description (`tests/data/github/advisories.openapi.json`), and what it says of a request or an answer.
//!
//! Security: requests are held to more than GitHub holds them to: a field or a query parameter that the description does not name
//! is a fault even where GitHub would overlook it.

use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

/// One operation of the API, found by method and path.
pub(super) struct Operation {
    /// GitHub's name for it, such as `security-advisories/create-repository-advisory`.
    pub(super) id: String,
    /// The variable segments of the path, by name.
    pub(super) path: HashMap<String, String>,
    value: Value,
}

/// The whole description.
pub(super) struct Description {
    document: Value,
    /// Its schemas in JSON Schema's words; and again with every object closed to unknown fields.
    schemas: Value,
    closed: Value,
    validators: Mutex<HashMap<String, jsonschema::Validator>>,
}

impl Description {
    pub(super) fn get() -> &'static Self {
        static DESCRIPTION: OnceLock<Description> = OnceLock::new();
        DESCRIPTION.get_or_init(|| {
            let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/github/advisories.openapi.json"));
            let document: Value = serde_json::from_str(text).expect("the description is JSON");
            let schemas = &document["components"]["schemas"];
            let in_words = |closed| {
                let mut words = translated(schemas, closed, true);
                // GitHub knows more permissions than it describes: `repository_advisories` is missing there.
                words["app-permissions"] = translated(&schemas["app-permissions"], false, false);
                words
            };
            Self { schemas: in_words(false), closed: in_words(true), validators: Mutex::default(), document }
        })
    }

    /// The operation that a request asks for.
    ///
    /// # Errors
    /// When the description knows no such path, or no such method of it.
    pub(super) fn operation(&self, method: &str, path: &str) -> Result<Operation, String> {
        let paths = self.document["paths"].as_object().unwrap();
        let mut known = false;
        for (template, methods) in paths {
            let Some(variables) = matched(template, path) else { continue };
            known = true;
            let Some(value) = methods.get(method.to_lowercase()) else { continue };
            let id = value["operationId"].as_str().unwrap().to_owned();
            return Ok(Operation { id, path: variables, value: value.clone() });
        }
        let what = if known { "method" } else { "path" };
        Err(format!("the description knows no such {what}"))
    }

    /// What is wrong with a request's parameters and body.
    pub(super) fn faults_of_request(
        &self,
        operation: &Operation,
        query: &[(String, String)],
        body: Option<&Value>,
    ) -> Vec<String> {
        let mut faults = Vec::new();
        let parameters: Vec<&Value> = operation.value["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| self.resolved(parameter))
            .collect();
        let known = |place: &str, name: &str| {
            parameters.iter().find(|parameter| parameter["in"] == place && parameter["name"] == name)
        };
        for (name, text) in query {
            match known("query", name) {
                None => faults.push(format!("unknown query parameter {name:?}")),
                Some(parameter) => faults.extend(self.parameter_faults(parameter, text)),
            }
        }
        for (name, text) in &operation.path {
            match known("path", name) {
                None => faults.push(format!("unknown path parameter {name:?}")),
                Some(parameter) => faults.extend(self.parameter_faults(parameter, text)),
            }
        }
        let request = &operation.value["requestBody"];
        let schema = &request["content"]["application/json"]["schema"];
        match body {
            None if request["required"] == true => faults.push("a body is required".into()),
            None => {}
            Some(_) if schema.is_null() => faults.push("a body where none is known".into()),
            Some(body) => faults.extend(self.faults(schema, body, true)),
        }
        faults
    }

    fn parameter_faults(&self, parameter: &Value, text: &str) -> Vec<String> {
        let schema = &parameter["schema"];
        let number = (schema["type"] == "integer").then(|| text.parse::<i64>().ok().map(Value::from)).flatten();
        let faults = self.faults(schema, &number.unwrap_or_else(|| text.into()), true);
        faults.into_iter().map(|fault| format!("{}: {fault}", parameter["name"])).collect()
    }

    /// What is wrong with an answer.
    pub(super) fn faults_of_answer(&self, operation: &Operation, status: u16, body: &Value) -> Vec<String> {
        let responses = &operation.value["responses"];
        let response = self.resolved(&responses[status.to_string()]);
        if response.is_null() {
            // Any operation may be answered so; the description names them only here and there.
            let common = [301, 302, 307, 308, 400, 401, 403, 404, 422, 429, 500, 502, 503];
            return if common.contains(&status) { vec![] } else { vec![format!("{status} is no answer to it")] };
        }
        let schema = &response["content"]["application/json"]["schema"];
        if schema.is_null() { Vec::new() } else { self.faults(schema, body, false) }
    }

    /// An object of this schema: what is given, and some value for everything else that the schema requires.
    pub(super) fn filled(&self, name: &str, given: Value) -> Value {
        let schema = &self.document["components"]["schemas"][name];
        assert!(schema.is_object(), "no schema {name}");
        let Value::Object(mut object) = self.invented(&without_null(schema)) else { panic!("{name} is no object") };
        let Value::Object(given) = given else { panic!("an object is given") };
        object.extend(given);
        Value::Object(object)
    }

    fn invented(&self, schema: &Value) -> Value {
        let schema = self.resolved(schema);
        if schema["nullable"] == true {
            return Value::Null;
        }
        if let Some(first) = schema["enum"].get(0) {
            return first.clone();
        }
        for several in ["oneOf", "anyOf", "allOf"] {
            if let Some(first) = schema[several].get(0) {
                return self.invented(first);
            }
        }
        match (schema["type"].as_str(), schema["format"].as_str()) {
            (Some("string"), Some("date-time")) => json!("2011-01-26T19:01:12Z"),
            (Some("string"), Some("uri")) => json!("https://github.example/"),
            (Some("string"), Some("email")) => json!("octocat@github.example"),
            (Some("string"), _) => json!(""),
            (Some("integer" | "number"), _) => json!(1),
            (Some("boolean"), _) => json!(false),
            (Some("array"), _) => json!([]),
            _ => {
                let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
                required.map(|name| (name.to_owned(), self.invented(&schema["properties"][name]))).collect()
            }
        }
    }

    fn resolved<'a>(&'a self, node: &'a Value) -> &'a Value {
        match node["$ref"].as_str() {
            Some(reference) => self.document.pointer(reference.trim_start_matches('#')).expect("a reference"),
            None => node,
        }
    }

    fn faults(&self, schema: &Value, value: &Value, closed: bool) -> Vec<String> {
        let key = format!("{closed} {schema}");
        let mut validators = self.validators.lock().unwrap();
        let validator = validators.entry(key).or_insert_with(|| {
            let schemas = if closed { &self.closed } else { &self.schemas };
            let root = json!({ "allOf": [translated(schema, closed, false)], "components": { "schemas": schemas } });
            jsonschema::options()
                .with_draft(jsonschema::Draft::Draft4)
                .should_validate_formats(true)
                .build(&root)
                .expect("the description is sound")
        });
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}

/// Whether a path is one of this template: the values of its variables.
fn matched(template: &str, path: &str) -> Option<HashMap<String, String>> {
    let (wanted, there): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    if wanted.len() != there.len() {
        return None;
    }
    let mut variables = HashMap::new();
    for (wanted, there) in wanted.into_iter().zip(there) {
        match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if !there.is_empty() => variables.insert(name.to_owned(), there.to_owned()),
            None if wanted == there => None,
            _ => return None,
        };
    }
    Some(variables)
}

fn without_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    schema.as_object_mut().unwrap().remove("nullable");
    schema
}

/// OpenAPI 3.0's schemas in JSON Schema's words: they differ in `nullable`. `names`: the keys here are names, not keywords.
fn translated(node: &Value, closed: bool, names: bool) -> Value {
    match node {
        Value::Array(items) => items.iter().map(|item| translated(item, closed, false)).collect(),
        Value::Object(object) => {
            let inner = object.iter().map(|(key, value)| {
                let verbatim = !names && matches!(key.as_str(), "enum" | "default" | "required");
                let value =
                    if verbatim { value.clone() } else { translated(value, closed, !names && key == "properties") };
                (key.clone(), value)
            });
            let mut schema: Map<String, Value> = inner.collect();
            if names {
                return Value::Object(schema);
            }
            if closed && schema.contains_key("properties") && !schema.contains_key("additionalProperties") {
                schema.insert("additionalProperties".into(), json!(false));
            }
            if schema.remove("nullable") == Some(json!(true)) {
                return json!({ "anyOf": [{ "type": "null" }, schema] });
            }
            Value::Object(schema)
        }
        other => other.clone(),
    }
}
