//! The team, and what its members can say about their mail.

use super::actors::Actor;
use super::reading::{self, Copy};
use super::settings::Layout;

/// The members of a world's team.
pub struct Members {
    people: Vec<Actor>,
    layout: Layout,
}

impl Members {
    pub(crate) fn new(people: Vec<Actor>, layout: Layout) -> Self {
        Self { people, layout }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Actor> {
        self.people.iter()
    }

    pub fn named(&self, name: &str) -> &Actor {
        self.people.iter().find(|actor| actor.name == name).unwrap_or_else(|| panic!("no member {name}"))
    }

    /// What lies in a member's Maildir, opened with that member's key. Anything that does not open is a failure.
    pub fn mails_of(&self, name: &str) -> Vec<Copy> {
        let actor = self.named(name);
        let mails = reading::maildir(&self.layout.outgoing.join(&actor.address));
        let open = |raw: &Vec<u8>| Copy::open(raw, actor).unwrap_or_else(|why| panic!("a mail to {name}: {why}"));
        mails.iter().map(open).collect()
    }

    /// A member's mails in which this can be read.
    pub fn copies_of(&self, name: &str, text: &str) -> Vec<Copy> {
        self.mails_of(name).into_iter().filter(|copy| copy.shows(text)).collect()
    }

    /// The only mail of a member's in which this can be read.
    pub fn copy_of(&self, name: &str, text: &str) -> Copy {
        let mut copies = self.copies_of(name, text);
        let kinds: Vec<String> =
            self.mails_of(name).iter().map(|copy| format!("{} {}", copy.case(), copy.says("Kind"))).collect();
        assert_eq!(copies.len(), 1, "mails of {name} that show {text:?}; there are {kinds:?}");
        copies.remove(0)
    }

    /// Every member has exactly one mail in which this can be read.
    pub fn each_can_read(&self, text: &str) {
        for actor in &self.people {
            self.copy_of(&actor.name, text);
        }
    }

    /// No member has a mail in which this can be read.
    pub fn nobody_can_read(&self, text: &str) {
        for actor in &self.people {
            assert!(self.copies_of(&actor.name, text).is_empty(), "{} reads {text:?}", actor.name);
        }
    }
}
