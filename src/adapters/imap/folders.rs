//! Where a mail goes once it is durable here: the folder of `done = "move:FOLDER"`, found or made.
//!
//! Security: it is looked for by its exact name; a folder is only made where there is none.

use super::names;
use super::session::{Link, Named, quoted};
use super::trouble::Trouble;

/// The folder as this server writes it: with its delimiter, and below INBOX where all folders lie there (RFC 3501 section 5.1).
///
/// # Errors
/// When the server does not answer.
pub(super) async fn find(link: &mut Link, folder: &str) -> Result<Found, Trouble> {
    let delimiter = link.list("").await?.into_iter().find_map(|root| root.delimiter).filter(|text| !text.is_empty());
    let names = candidates(folder, delimiter.as_deref());
    for name in &names {
        let listed = link.list(name).await?;
        if listed.iter().any(|one: &Named| one.selectable && same(&one.name, name)) {
            return Ok(Found::There(name.clone()));
        }
    }
    Ok(Found::Missing(names))
}

/// What a look for a folder brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    There(String),
    /// The names under which it could be made.
    Missing(Vec<String>),
}

/// Finds the folder or makes it.
///
/// # Errors
/// When there is none and the server refuses to make one.
pub(super) async fn find_or_create(link: &mut Link, folder: &str) -> Result<String, Trouble> {
    let names = match find(link, folder).await? {
        Found::There(name) => return Ok(name),
        Found::Missing(names) => names,
    };
    let mut refused = Trouble::Unintelligible("CREATE");
    for name in names {
        match link.tell("CREATE", &format!("CREATE {}", quoted(&name)?)).await {
            Ok(()) => {
                // So that mail programs show it; some servers have no subscriptions.
                match link.tell("SUBSCRIBE", &format!("SUBSCRIBE {}", quoted(&name)?)).await {
                    Err(trouble) if trouble.ends_connection() => return Err(trouble),
                    _ => return Ok(name),
                }
            }
            Err(trouble) if trouble.ends_connection() => return Err(trouble),
            Err(trouble) => refused = trouble,
        }
    }
    Err(refused)
}

/// How the folder may be called: as it is written, with the server's delimiter in place of the configuration's, and below INBOX.
fn candidates(folder: &str, delimiter: Option<&str>) -> Vec<String> {
    let name = match delimiter {
        Some(delimiter) if delimiter != "/" && !folder.contains(delimiter) => folder.replace('/', delimiter),
        _ => folder.to_owned(),
    };
    let name = names::encoded(&name);
    let Some(delimiter) = delimiter else { return vec![name] };
    let below = format!("INBOX{delimiter}");
    let starts = name.get(..below.len()).is_some_and(|start| start.eq_ignore_ascii_case(&below));
    if starts || name.eq_ignore_ascii_case("INBOX") {
        return vec![name];
    }
    let inner = format!("{below}{name}");
    vec![name, inner]
}

fn same(one: &str, other: &str) -> bool {
    one == other || (one.eq_ignore_ascii_case("INBOX") && other.eq_ignore_ascii_case("INBOX"))
}

#[cfg(test)]
#[path = "folders_tests.rs"]
mod tests;
