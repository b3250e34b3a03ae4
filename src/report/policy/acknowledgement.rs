//! Whether the sender is told that the mail arrived, and how.
//!
//! Security: this reads the outside of a mail, the configuration and counters, and never what was decrypted, so that somebody
//! who sends in a captured ciphertext learns nothing from the answer or its absence. Forged senders are the other danger: no
//! answers to lists and machines, none without dmarc=pass for mail in clear where results are available, and few of them.

use super::decision::{Acknowledge, AcknowledgementKey, NoAcknowledgement as No};
use super::known::Known;
use super::matching::{has_address, usable};
use super::rules::Rules;
use crate::report::keyring::Keyring;
use crate::report::opened::Place;
use crate::report::outer::{Dmarc, Nature, Outer, Sender, is_answerable};
use crate::report::secret::ReporterContact;
use jiff::Timestamp;

/// Acknowledgements to one address in 24 hours.
pub const PER_SENDER_AND_DAY: u32 = 5;
/// Acknowledgements to all in an hour.
pub const PER_HOUR: u32 = 60;

/// Decides. It takes nothing that opening the mail found.
pub(super) fn acknowledge(
    outer: &Outer,
    known: &Known,
    keyring: &Keyring,
    rules: &Rules,
    now: Timestamp,
) -> Acknowledge {
    match refusal(outer, known, keyring, rules) {
        Err(why) => Acknowledge::None(why),
        Ok(sender) => match certificate(outer, keyring, sender, now) {
            Some(key) => Acknowledge::Encrypted(key),
            None => Acknowledge::Plain,
        },
    }
}

fn refusal<'a>(outer: &'a Outer, known: &Known, keyring: &Keyring, rules: &Rules) -> Result<&'a ReporterContact, No> {
    let refuse_if = |condition: bool, why: No| if condition { Err(why) } else { Ok(()) };
    refuse_if(!rules.acknowledge, No::Off)?;
    match outer.nature {
        Nature::Bounce => return Err(No::Bounce),
        Nature::Automatic => return Err(No::Automatic),
        Nature::Personal => {}
    }
    refuse_if(outer.list, No::List)?;
    refuse_if(outer.wants_no_answer, No::Suppressed)?;
    let Sender::One(sender) = &outer.sender else { return Err(No::NoSender) };
    refuse_if(rules.is_team(sender.address()), No::Team)?;
    refuse_if(keyring.member(&sender.address().to_lowercase()).is_some(), No::Member)?;
    refuse_if(!is_answerable(sender), No::SenderUnusable)?;
    refuse_if(known.by_outer_reference.is_some(), No::InCase)?;
    refuse_if(outer.dmarc == Some(Dmarc::Fail), No::DmarcFail)?;
    refuse_if(!outer.encrypted && outer.dmarc.is_some_and(|result| result != Dmarc::Pass), No::DmarcUnproven)?;
    refuse_if(known.already_acknowledged, No::AlreadySent)?;
    refuse_if(known.acknowledged_to_sender_today >= PER_SENDER_AND_DAY, No::SenderLimit)?;
    refuse_if(known.acknowledged_this_hour >= PER_HOUR, No::HourLimit)?;
    Ok(sender)
}

/// A certificate with the sender's address that can be encrypted to: a known one, else an attached one, else Autocrypt's.
pub(in crate::report) fn certificate(
    outer: &Outer,
    keyring: &Keyring,
    sender: &ReporterContact,
    now: Timestamp,
) -> Option<AcknowledgementKey> {
    let in_clear = |place: Place| outer.certificates.iter().filter(move |e| e.place == place).map(|e| &e.cert);
    keyring
        .known
        .iter()
        .chain(in_clear(Place::AttachedInClear))
        .chain(in_clear(Place::AutocryptInClear))
        .find(|cert| has_address(cert, sender.address(), now) && usable(cert, now))
        .map(|cert| AcknowledgementKey(Box::new(cert.clone())))
}

#[cfg(test)]
#[path = "acknowledgement_tests.rs"]
mod tests;
