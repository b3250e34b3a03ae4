//! Every certificate the gateway works with, parsed once: its own keys, the members', the known ones.
//!
//! Security: a member's certificate is identified by its whole fingerprint and never replaced by mail. A certificate without
//! a usable encryption key is an error of its own kind, never an empty list of recipients. Keys kept for decryption are
//! never used to sign.

mod certificate;
mod error;
mod gateway_key;
mod member;

pub(in crate::report) use certificate::{encryption_keys_of, system_time};
pub use error::{KeyError, Unusable};
pub use gateway_key::{GatewayKey, KeyUse, NewKey, generate_key};
pub use member::{KnownCertificate, Member, SpoolCertificate};

use super::vault::{StoreKey, VaultError};
use sequoia_openpgp as openpgp;

use openpgp::Cert;
use std::collections::HashSet;
use std::sync::Arc;

/// All certificates of one configuration.
pub struct Keyring {
    pub(in crate::report) gateway: Vec<GatewayKey>,
    pub(in crate::report) members: Vec<Arc<Member>>,
    pub(in crate::report) known: Vec<Cert>,
}

impl Keyring {
    /// Puts the keys of a configuration together. The order of `gateway` is that of the configuration.
    ///
    /// # Errors
    /// [`KeyError::Duplicate`] with the index of the second member that shares an address or a certificate.
    pub fn new(
        gateway: Vec<GatewayKey>,
        members: Vec<Member>,
        known: Vec<KnownCertificate>,
    ) -> Result<Self, (usize, KeyError)> {
        let (mut addresses, mut prints) = (HashSet::new(), HashSet::new());
        for (index, member) in members.iter().enumerate() {
            if !addresses.insert(member.id()) || !prints.insert(member.fingerprint()) {
                return Err((index, KeyError::Duplicate));
            }
        }
        Ok(Self {
            gateway,
            members: members.into_iter().map(Arc::new).collect(),
            known: known.into_iter().map(|known| known.0).collect(),
        })
    }

    /// The gateway's keys, in the order of the configuration.
    pub fn gateway_keys(&self) -> &[GatewayKey] {
        &self.gateway
    }

    /// The team.
    pub fn members(&self) -> &[Arc<Member>] {
        &self.members
    }

    /// The member with this id ([`Member::id`]).
    pub fn member(&self, id: &str) -> Option<&Arc<Member>> {
        self.members.iter().find(|member| member.id() == id)
    }

    /// How many known certificates there are.
    pub fn known_count(&self) -> usize {
        self.known.len()
    }

    /// The key that signs and is published: the first active one.
    pub fn publishing_key(&self) -> Option<&GatewayKey> {
        self.gateway.iter().find(|key| key.usage() == KeyUse::Active)
    }

    /// Whether this certificate is one of the gateway's.
    pub(in crate::report) fn is_gateway(&self, fingerprint: &openpgp::Fingerprint) -> bool {
        self.gateway.iter().any(|key| key.cert.fingerprint() == *fingerprint)
    }

    /// The gateway's public certificate, armored, for publication. Nothing if there is no active key.
    pub fn published_certificate(&self) -> Option<Vec<u8>> {
        use openpgp::serialize::SerializeInto;
        self.publishing_key()?.cert.clone().strip_secret_key_material().armored().to_vec().ok()
    }

    /// Wraps a store key to every gateway key that can be encrypted to; the result lies in the store, one row a key.
    ///
    /// # Errors
    /// Never for a single key that cannot be used; those are left out.
    pub fn wrap(&self, key: &StoreKey) -> Vec<(String, Vec<u8>)> {
        let plain = key.to_plaintext();
        self.gateway
            .iter()
            .filter_map(|gateway| {
                let wrapped = super::wrap::encrypt_to_cert(&gateway.cert, &plain).ok()?;
                Some((gateway.fingerprint(), wrapped))
            })
            .collect()
    }

    /// Unwraps a store key.
    ///
    /// # Errors
    /// When no gateway key opens it.
    pub fn unwrap(&self, wrapped: &[u8]) -> Result<StoreKey, VaultError> {
        let plain = super::wrap::decrypt_with(self, wrapped).map_err(|_| VaultError::DoesNotOpen)?;
        StoreKey::from_plaintext(&plain)
    }
}
