//! Describing a world before it starts.

use super::actors::Actor;
use super::database::Database;
use super::gateway::Gateway;
use super::github::GitHub;
use super::members::Members;
use super::settings::{Desk, GitHubDesk, Layout, MemberLine, Settings};
use super::{TEAM, World};
use std::path::Path;

type Change = Box<dyn FnOnce(&mut Settings)>;

/// What a world shall be like.
#[derive(Default)]
pub struct Plan {
    members: Vec<(String, Kind)>,
    database: Database,
    change: Vec<Change>,
}

#[derive(Clone, Copy)]
enum Kind {
    Modern,
    Rsa,
    Expired,
    Sequoia,
}

impl Plan {
    /// Members with ordinary keys, at `NAME@example.org`.
    pub fn members<const N: usize>(mut self, names: [&str; N]) -> Self {
        self.members.extend(names.map(|name| (name.to_owned(), Kind::Modern)));
        self
    }

    /// A member with an RSA key.
    pub fn rsa_member(mut self, name: &str) -> Self {
        self.members.push((name.to_owned(), Kind::Rsa));
        self
    }

    /// A member whose key was made by sq.
    pub fn sequoia_member(mut self, name: &str) -> Self {
        self.members.push((name.to_owned(), Kind::Sequoia));
        self
    }

    /// A member whose certificate has expired.
    pub fn expired_member(mut self, name: &str) -> Self {
        self.members.push((name.to_owned(), Kind::Expired));
        self
    }

    /// The database the gateway uses.
    pub fn on(mut self, database: Database) -> Self {
        self.database = database;
        self
    }

    /// Drafts are opened at this GitHub, by a token.
    pub fn at(self, hub: &GitHub, repository: &str, token: &str) -> Self {
        let desk = GitHubDesk::new(hub, repository, token);
        self.with(move |settings| settings.desk = Desk::GitHub(desk))
    }

    /// Any other change to the configuration.
    pub fn with(mut self, change: impl FnOnce(&mut Settings) + 'static) -> Self {
        self.change.push(Box::new(change));
        self
    }

    /// Makes the keys, the folders and the configuration file. Nothing of the gateway runs yet.
    pub fn start(self) -> World {
        let root = tempfile::Builder::new().prefix("world-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        // Sockets of agents lie in the homes, and their paths may have 107 octets at most.
        let homes = tempfile::Builder::new().prefix("eg").tempdir_in(std::env::temp_dir()).unwrap();
        let layout = Layout::below(root.path().to_path_buf(), homes.path().join("secrets"));
        let database = self.database.start();
        let people = make_keys(homes.path(), &self.members);
        let key_maker = Actor::gpg(homes.path(), "gateway", TEAM);
        std::fs::write(layout.etc.join("keys/gateway/first.sec.asc"), key_maker.secret_key()).unwrap();
        let mut settings = Settings::new(database.url.clone());
        settings.members = people.iter().map(|actor| MemberLine::of(actor, &layout)).collect();
        for change in self.change {
            change(&mut settings);
        }
        for actor in &people {
            actor.knows(&key_maker.certificate());
        }
        let gateway = Gateway::new(layout.clone(), settings, key_maker);
        let members = Members::new(people, layout.clone());
        World { gateway, members, layout, database, homes, root }
    }
}

/// One thread a key, since most of the time is waiting for agents to start.
fn make_keys(homes: &Path, members: &[(String, Kind)]) -> Vec<Actor> {
    std::thread::scope(|scope| {
        let makers: Vec<_> = members
            .iter()
            .map(|(name, kind)| {
                scope.spawn(move || {
                    let address = format!("{name}@example.org");
                    match kind {
                        Kind::Modern => Actor::gpg(homes, name, &address),
                        Kind::Rsa => Actor::rsa(homes, name, &address),
                        Kind::Expired => Actor::expired(homes, name, &address),
                        Kind::Sequoia => Actor::sq(homes, name, &address),
                    }
                })
            })
            .collect();
        makers.into_iter().map(|maker| maker.join().unwrap()).collect()
    })
}
