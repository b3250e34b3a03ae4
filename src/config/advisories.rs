//! From the document to the configuration: where draft advisories are opened, and by whom.
//!
//! Security: a draft leaves the team's own machines. The token's way is HTTPS; names become parts of a request's path, so only
//! the forms that GitHub gives out are taken; a route that can never match is an error, or drafts would go elsewhere unseen.

use super::parse::secret;
use super::reader::Table;
use super::services::{REMOVE, none_of, refuse_other_kind, required_path};
use super::{
    AdvisoriesConfig, AdvisoriesKind, AdvisoryContent, ConfigError, GithubAuth, GithubConfig, OpenFor, Problem, values,
};
use crate::report::{Repository, Route, RouteMatch};
use url::Url;

const GITHUB_KEYS: &[&str] = &["repository", "token", "app", "api", "teams", "users", "routes"];
const DEFAULT_API: &str = "https://api.github.com";

pub(super) fn advisories(mut table: Table<'_>, aliases: &[String]) -> Result<AdvisoriesConfig, ConfigError> {
    const MEND: &str = "use \"github\", \"directory\" or \"none\"";
    let kind = table.required("kind", MEND)?;
    let components = table.list("components", values::component)?;
    let kind = match kind.as_str() {
        "github" => {
            refuse_other_kind(&mut table, &["path"], "directory")?;
            AdvisoriesKind::Github(Box::new(github(&mut table, aliases, &components)?))
        }
        "directory" => {
            refuse_other_kind(&mut table, GITHUB_KEYS, "github")?;
            let path = required_path(&mut table, "path", "name the folder in which drafts are written")?;
            AdvisoriesKind::Directory { path }
        }
        "none" => {
            refuse_other_kind(&mut table, GITHUB_KEYS, "github")?;
            table.refuse(&["path"], "it means nothing with kind = \"none\"", REMOVE)?;
            AdvisoriesKind::None
        }
        other => return Err(table.wrong("kind", none_of(other, MEND))),
    };
    let advisories = AdvisoriesConfig {
        kind,
        content: table.choice(
            "content",
            &[("stub", AdvisoryContent::Stub), ("report", AdvisoryContent::Report)],
            AdvisoryContent::Stub,
        )?,
        open_for: table.choice(
            "open_for",
            &[("encrypted", OpenFor::Encrypted), ("all", OpenFor::All)],
            OpenFor::Encrypted,
        )?,
        max_per_hour: table.number("max_per_hour", 0..=10_000)?.unwrap_or(10),
        max_per_day: table.number("max_per_day", 0..=10_000)?.unwrap_or(30),
        components,
    };
    table.finish()?;
    Ok(advisories)
}

fn github(table: &mut Table<'_>, aliases: &[String], components: &[String]) -> Result<GithubConfig, ConfigError> {
    let mend = "name the repository in which drafts are opened, as in \"OWNER/NAME\"";
    let repository = table.read_required("repository", mend, repository)?;
    let auth = auth(table)?;
    let api = match table.read("api", api)? {
        Some(api) => api,
        None => api(DEFAULT_API).map_err(|problem| table.wrong("api", problem))?,
    };
    let teams = table.list("teams", team)?;
    let users = table.list("users", user)?;
    let mut routes: Vec<Route> = Vec::new();
    for mut entry in table.tables("routes")? {
        let route = route(&mut entry, aliases, components)?;
        if routes.iter().any(|other| other.matches == route.matches) {
            let what = "an earlier route matches the same, so this one never would";
            return Err(entry.wrong("match", Problem::new(what, "remove one of the two")));
        }
        entry.finish()?;
        routes.push(route);
    }
    Ok(GithubConfig { repository, auth, api, teams, users, routes })
}

/// `token` or `app`: exactly one.
fn auth(table: &mut Table<'_>) -> Result<GithubAuth, ConfigError> {
    const TOKEN: &str = "write where it comes from, as in token = { file = \"…\" }, { credential = \"NAME\" } or { env = \"NAME\" }; never the token itself";
    const APP: &str = "write app = { id = 123456, key = { file = \"…\" } }";
    let token = table.optional_table_or("token", TOKEN)?;
    let app = table.optional_table_or("app", APP)?;
    match (token, app) {
        (Some(token), None) => Ok(GithubAuth::Token(secret(token)?)),
        (None, Some(mut app)) => {
            let id = app.number("id", 1..=u32::MAX)?;
            let id = id.ok_or_else(|| app.missing("id", "write the App ID that the App's page on GitHub shows"))?;
            let key =
                app.optional_table_or("key", "write where the PEM file comes from, as in key = { file = \"…\" }")?;
            let key = key.ok_or_else(|| app.missing("key", "name the PEM file with the App's private key"))?;
            app.finish()?;
            Ok(GithubAuth::App { id: u64::from(id), key: secret(key)? })
        }
        (None, None) => {
            let mend = format!("{TOKEN}; or, for a GitHub App, {APP}");
            Err(table.missing("token", &mend))
        }
        (Some(_), Some(_)) => {
            let problem = Problem::new("there is a token as well", "remove either token or app");
            Err(table.wrong("app", problem))
        }
    }
}

fn repository(text: &str) -> Result<Repository, Problem> {
    Repository::parse(text).ok_or_else(|| {
        let what = format!("{text:?} is not a repository on GitHub");
        Problem::new(what, "write OWNER/NAME alone, as in \"kata-containers/kata-containers\"")
    })
}

/// The API's base address, without a slash at its end where it has a path.
fn api(text: &str) -> Result<Url, Problem> {
    const MEND: &str = "write it as in \"https://api.github.com\", which is the default";
    // The value may hold a password: no error repeats it.
    let mut url = Url::parse(text).map_err(|_| Problem::new("it is not a whole URL", MEND))?;
    let Some(host) = url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned()) else {
        return Err(Problem::new("it names no server", MEND));
    };
    match url.scheme() {
        "https" => {}
        "http" if values::is_loopback(&host) => {}
        "http" => {
            let mend = "write https://; http:// is only for a server on this machine (localhost, 127.0.0.1 or ::1)";
            return Err(Problem::new("the token would go over the network in clear", mend));
        }
        _ => return Err(Problem::new("it is not an https:// address", MEND)),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Problem::new(
            "it holds a user or a password",
            "write the address alone; token or app say who asks",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Problem::new("parameters are not taken", MEND));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// A team's slug, as it stands in the address of its page.
fn team(text: &str) -> Result<String, Problem> {
    if word(text, 255, "-_.") {
        return Ok(text.to_owned());
    }
    let mend = "write its slug alone, without the organisation, as in \"security-team\"; it stands in the address of the team's page";
    Err(Problem::new(format!("{text:?} is not a team on GitHub"), mend))
}

/// A user's login. Logins of companies that manage their users have an underscore.
fn user(text: &str) -> Result<String, Problem> {
    if word(text, 100, "-_") {
        return Ok(text.to_owned());
    }
    let mend = "write the login alone, without @, as in \"octocat\"";
    Err(Problem::new(format!("{text:?} is not a user on GitHub"), mend))
}

fn word(text: &str, longest: usize, besides: &str) -> bool {
    (1..=longest).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || besides.contains(c))
        && text.chars().any(|c| c.is_ascii_alphanumeric())
}

fn route(entry: &mut Table<'_>, aliases: &[String], components: &[String]) -> Result<Route, ConfigError> {
    let mend = "write an alias of the team, or \"Component: NAME\"";
    let matches = entry.read_required("match", mend, |text| route_match(text, aliases, components))?;
    let repository = entry.read_required("repository", "write OWNER/NAME, the repository of this route", repository)?;
    Ok(Route { matches, repository })
}

fn route_match(text: &str, aliases: &[String], components: &[String]) -> Result<RouteMatch, Problem> {
    if let Some((name, component)) = text.split_once(':')
        && name.trim().eq_ignore_ascii_case("component")
    {
        let component = component.trim();
        let known = components.iter().find(|known| known.eq_ignore_ascii_case(component));
        return known.cloned().map(RouteMatch::Component).ok_or_else(|| {
            let what = format!("no report can name the component {component:?}");
            Problem::new(what, "add it to advisories.components, or correct it")
        });
    }
    let address = values::address(text).map_err(|_| {
        let mend = "write an alias of the team, as in \"vmt+runtime@example.org\", or \"Component: NAME\"";
        Problem::new(format!("{text:?} is neither an address nor a component"), mend)
    })?;
    if aliases.iter().any(|alias| alias.eq_ignore_ascii_case(&address)) {
        return Ok(RouteMatch::Alias(address.to_lowercase()));
    }
    let what = format!("{address} is none of the team's aliases, so no mail counts as written to it");
    Err(Problem::new(what, "add it to team.aliases, or correct it"))
}
