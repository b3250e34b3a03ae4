//! Takes one mail through everything that the gateway does with it, but for the store and the network: from its outside to
//! the copy that a member opens.

use crate::bounds::bounded;
use crate::copy::{Copy, outside, statement_holds};
use crate::world::{COMPONENTS, PREFIX, WORLD};
use embargod::report::{
    AckPlace, Acknowledge, CaseId, CopyInput, DraftContent, DraftView, Facts, Frozen, Held, Inspection, Known, Lookups,
    MailId, OpenFor, Outer, Plaintext, content_digest, decide, open_mail, prepare_copies, prepare_draft, sections_of,
    write_acknowledgement,
};
use serde_json::Value;

/// What became of a mail.
pub struct Carried {
    /// What `inspect --json` says.
    pub inspected: Value,
    /// What Alice reads.
    pub copy: Copy,
    /// The body of the advisory's create call.
    pub draft: Option<String>,
    /// The acknowledgement, as it leaves.
    pub answer: Option<Vec<u8>>,
}

impl Carried {
    /// The refusal's code.
    pub fn refusal(&self) -> Option<&str> {
        self.inspected["refusal"].as_str()
    }

    /// complete, partial or none.
    pub fn encryption(&self) -> &str {
        self.inspected["encryption"].as_str().expect("the encryption is a word")
    }

    pub fn has_warning(&self, code: &str) -> bool {
        self.inspected["warnings"].as_array().is_some_and(|all| all.iter().any(|one| one == code))
    }

    /// Everything that may be seen by anybody but members and admins.
    pub fn published(&self) -> impl Iterator<Item = &[u8]> {
        [self.draft.as_deref().map(str::as_bytes), self.answer.as_deref(), Some(&self.copy.outer)].into_iter().flatten()
    }
}

/// Fields of the contract's `inspect --json`, sorted.
const FIELDS: [&str; 13] = [
    "acknowledge",
    "advisory",
    "class",
    "encryption",
    "held",
    "opened",
    "parts",
    "recipients",
    "refusal",
    "signatures",
    "subject",
    "warnings",
    "",
];

/// Octets of the parts of a mail up to which its copy is made as well.
const COPIED: usize = 4 * 1024 * 1024;

/// Carries a mail, within the bounds. Panics when something does not hold that must hold for every mail. Nothing where the mail
/// was opened, but is too large for a copy to be made here in reasonable time.
pub fn carry(mail: &[u8], content: DraftContent) -> Option<Carried> {
    let world = &*WORLD;
    let (keyring, vault, at) = (&world.keyring, &world.vault, world.received);
    let mut rules = world.rules.clone();
    rules.drafts = content;
    if content == DraftContent::Report {
        rules.open_for = OpenFor::All;
    }
    let mail = Plaintext::new(mail.to_vec());
    let case = CaseId::new(PREFIX, 2026, 7);
    let components = COMPONENTS.map(str::to_owned);
    let (outer, opened, decision, draft) = bounded(mail.len(), || {
        let outer = Outer::read(&mail, keyring, &rules);
        let opened = open_mail(&mail, keyring, &rules, None, at, false);
        let decision = decide(&outer, &opened, &Known::default(), keyring, &rules, at);
        let draft = prepare_draft(&outer, &opened, &decision, &components, keyring, &rules);
        (outer, opened, decision, draft.map(|prepared| prepared.for_case(&case, [9; 16])))
    });
    assert!(outer.content_digest(vault) == content_digest(&mail, vault), "a mail is known again by its digest");
    let lookups = Lookups::new(&outer, &opened, vault);
    assert!(lookups.inner_references.len() <= 100 && lookups.outer_references.len() <= 100, "too many references");

    let view = draft.as_ref().map(|made| DraftView {
        summary: made.draft.summary(),
        description: made.draft.description(),
        fell_back: made.fell_back.is_some(),
    });
    let inspection = Inspection::new(&opened, &decision, keyring, Vec::<Held>::new(), view);
    let inspected = inspection.to_json();
    let fields: Vec<&str> =
        inspected.as_object().expect("inspect gives an object").keys().map(String::as_str).collect();
    assert_eq!(fields.len(), FIELDS.len() - 1, "{fields:?}");
    assert!(fields.iter().all(|field| FIELDS.contains(field)), "{fields:?}");
    let said = inspection.to_text();
    assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "inspect writes control characters: {said:?}");

    let mut facts = Facts::new(&opened, &decision, &rules, at);
    facts.note_sender(&outer);
    let frozen = Frozen::Mail(Box::new(facts)).to_plaintext().expect("facts can be frozen");
    let frozen = Frozen::from_plaintext(&frozen).expect("frozen facts can be read back");
    let Frozen::Mail(facts) = &frozen else { panic!("facts came back as a notice") };
    let id = MailId::from_random([7; 16]);
    let our_id = |kind: &str| vault.message_id("KATA-2026-0007", &id, kind, 0, world.identity.domain());

    let contact = decision.contact();
    let message_id = our_id("copy");
    let first = opened.into_sections();
    if first.iter().map(|section| section.size()).sum::<usize>() > COPIED {
        return None;
    }
    let again = sections_of(&mail, facts, keyring, &rules);
    assert!(
        first.iter().map(|section| section.size()).eq(again.iter().map(|section| section.size())),
        "a stored mail opens differently with its session keys"
    );
    let input = CopyInput {
        identity: &world.identity,
        case: Some(&case),
        message_id: &message_id,
        thread: &[],
        received: at,
        frozen: &frozen,
        contact: contact.as_ref(),
        advisory: None,
        sections: &first,
        envelope_from: crate::world::TEAM,
    };
    let copies = prepare_copies(&input, keyring, keyring.members(), at).expect("copies can be signed");
    let alice = &keyring.members()[0];
    let sealed = copies.seal_for(alice, "0a", at).expect("a copy can be sealed");
    let copy = Copy::open(sealed.bytes());
    statement_holds(&copy, &inspected, &input, first.len());

    let answer = match &decision.acknowledge {
        Acknowledge::None(_) => None,
        Acknowledge::Encrypted(_) | Acknowledge::Plain => {
            let message_id = our_id("acknowledgement");
            let place =
                AckPlace { case: Some(&case), message_id: &message_id, delivery_id: "0b", identity: &world.identity };
            let written = write_acknowledgement(&mail, facts, &place, keyring, &rules, at);
            let answer = written.expect("an answer that was decided can be written");
            answer.map(|answer| {
                outside(answer.bytes());
                answer.bytes().to_vec()
            })
        }
    };
    Some(Carried { inspected, copy, draft: draft.map(|made| made.draft.body_json()), answer })
}
