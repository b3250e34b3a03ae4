//! People, keys and mails for the measurements: real OpenPGP, made anew for each run.
//!
//! Security: test data only; nothing here is used by the program.
#![allow(dead_code, unreachable_pub, reason = "each measurement uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use base64::Engine;
use embargod::report::{GatewayKey, KeyUse, Keyring, Member, Plaintext, Rules};
use openpgp::Cert;
use openpgp::cert::{CertBuilder, CipherSuite};
use openpgp::policy::StandardPolicy;
use openpgp::serialize::SerializeInto;
use openpgp::serialize::stream::{Armorer, Encryptor, LiteralWriter, Message, Recipient, Signer};
use sequoia_openpgp as openpgp;
use std::io::Write;

pub const KIB: usize = 1024;
pub const MIB: usize = 1024 * KIB;
pub const TEAM: &str = "vmt@katacontainers.example";

/// Somebody with an OpenPGP key (Ed25519 and X25519).
pub struct Person {
    pub name: String,
    pub address: String,
    pub key: Cert,
}

impl Person {
    pub fn new(name: &str, address: &str) -> Self {
        let (key, _) = CertBuilder::general_purpose(Some(format!("{name} <{address}>")))
            .set_cipher_suite(CipherSuite::Cv25519)
            .generate()
            .unwrap();
        Self { name: name.to_owned(), address: address.to_owned(), key }
    }

    pub fn fingerprint(&self) -> String {
        self.key.fingerprint().to_hex()
    }

    pub fn certificate(&self) -> Vec<u8> {
        self.key.armored().to_vec().unwrap()
    }

    pub fn secret_key(&self) -> Vec<u8> {
        self.key.as_tsk().armored().to_vec().unwrap()
    }
}

/// A team with its gateway, and a reporter whom nobody knows.
pub struct People {
    pub gateway: Person,
    pub members: Vec<Person>,
    pub reporter: Person,
}

impl People {
    pub fn new(members: usize) -> Self {
        Self {
            gateway: Person::new("Kata Containers VMT", TEAM),
            members: (1..=members)
                .map(|n| Person::new(&format!("Member{n} Surname{n}"), &format!("member{n}@team{n}.example")))
                .collect(),
            reporter: Person::new("Eva Reporter", "eva@reporter.example"),
        }
    }

    pub fn keyring(&self) -> Keyring {
        let secret = Plaintext::new(self.gateway.secret_key());
        let gateway = GatewayKey::read(&secret, None, KeyUse::Active).unwrap();
        let members = self.members.iter().map(|member| {
            Member::read(&member.name, &member.address, &member.certificate(), &member.fingerprint()).unwrap()
        });
        Keyring::new(gateway, members.collect(), Vec::new()).map_err(|_| "duplicate").unwrap()
    }

    pub fn rules(&self) -> Rules {
        Rules::new(TEAM, "KATA")
    }

    /// An encrypted and signed report (RFC 3156) whose content has `size` octets.
    pub fn report(&self, size: usize, number: usize) -> Vec<u8> {
        let entity = entity(size, number);
        let policy = StandardPolicy::new();
        let recipients: Vec<_> = self
            .gateway
            .key
            .keys()
            .with_policy(&policy, None)
            .for_transport_encryption()
            .map(|key| key.key().clone())
            .collect();
        let signer = self.reporter.key.keys().secret().with_policy(&policy, None).for_signing().next().unwrap();
        let signer = signer.key().clone().into_keypair().unwrap();
        let mut armored = Vec::new();
        let message = Armorer::new(Message::new(&mut armored)).build().unwrap();
        let to = recipients.iter().map(|key| Recipient::new(None, key.key_handle(), key));
        let message = Encryptor::for_recipients(message, to).build().unwrap();
        let message = Signer::new(message, signer).unwrap().build().unwrap();
        let mut message = LiteralWriter::new(message).build().unwrap();
        message.write_all(&entity).unwrap();
        message.finalize().unwrap();
        let mut mail = format!(
            "From: {} <{}>\r\nTo: <{TEAM}>\r\nSubject: ...\r\nMessage-ID: <bench-{number}-{size}@reporter.example>\r\n\
             Date: Thu, 1 Jan 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=\"outer-bound\"\r\n\r\n\
             --outer-bound\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n\
             --outer-bound\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\r\n",
            self.reporter.name, self.reporter.address
        )
        .into_bytes();
        for line in armored.split(|&b| b == b'\n') {
            mail.extend_from_slice(line);
            mail.extend_from_slice(b"\r\n");
        }
        mail.extend_from_slice(b"--outer-bound--\r\n");
        mail
    }

    /// A report that has about `size` octets as it arrives.
    pub fn report_on_the_wire(&self, size: usize, number: usize) -> Vec<u8> {
        // Armor: 4 characters for 3 octets, and two line ends for every 64 of them.
        self.report(size / 4 * 3 * 64 / 66, number)
    }
}

const PARAGRAPHS: &str = "\
Hello team,\r\n\
\r\n\
I found a heap overflow in the virtiofs handling of the agent. A guest that controls the name\r\n\
of a shared directory can write past the end of a buffer in the process on the host, since the\r\n\
length is taken from the request header and is not compared with the size of the payload.\r\n\
\r\n\
Component: agent\r\n\
Affected versions: >= 3.2.0, < 3.19.1\r\n\
CVSS: CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H\r\n\
CWE: CWE-787\r\n\
\r\n\
Steps to reproduce:\r\n\
\r\n\
  $ cat /proc/self/mountinfo | grep virtiofs\r\n\
  $ ./trigger --path /run/kata-containers/shared --length 0xffffff00 --seed 1337\r\n\
\r\n\
    pub fn read_request(&mut self, header: &Header) -> Result<Vec<u8>> {\r\n\
        let mut buffer = Vec::with_capacity(header.len as usize);\r\n\
        unsafe { buffer.set_len(header.len as usize) };\r\n\
        self.reader.read_exact(&mut buffer[..header.body_len()])?;\r\n\
        Ok(buffer)\r\n\
    }\r\n\
\r\n\
==4711==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x60200000eff8 at pc 0x0000004c2b7d\r\n\
WRITE of size 4 at 0x60200000eff8 thread T0\r\n\
    #0 0x4c2b7c in handle_lookup src/virtiofs/lookup.rs:218:13\r\n\
    #1 0x4c1f10 in dispatch src/virtiofs/server.rs:97:9\r\n\
    #2 0x7f6e1d2a0b24 in __libc_start_main (/lib/x86_64-linux-gnu/libc.so.6+0x26b24)\r\n\
0x60200000eff8 is located 0 bytes to the right of 8-byte region [0x60200000eff0,0x60200000eff8)\r\n\
\r\n\
  00000000: 7f45 4c46 0201 0100 0000 0000 0000 0000  .ELF............\r\n\
  00000010: 0300 3e00 0100 0000 c0a1 0400 0000 0000  ..>.............\r\n\
\r\n\
The patch below bounds the length. It was tried with 3.19.0 on x86_64 and aarch64 (2025-11-03), and\r\n\
https://github.com/kata-containers/kata-containers/blob/main/src/agent/README.md needs a word too.\r\n\
\r\n";

/// The text of an ordinary report.
pub fn text(size: usize, number: usize) -> String {
    let mut text = format!("Report number {number}.\r\n\r\n");
    while text.len() < size {
        text.push_str(PARAGRAPHS);
    }
    text.truncate(size.saturating_sub(40));
    text.push_str("\r\n\r\nBest regards,\r\nEva Reporter\r\n");
    text
}

/// What is encrypted: a text, beyond 64 KiB with an attachment that does not compress.
fn entity(size: usize, number: usize) -> Vec<u8> {
    if size <= 64 * KIB {
        return format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{}", text(size, number)).into_bytes();
    }
    let mut entity = format!(
        "Content-Type: multipart/mixed; boundary=\"inner-bound\"\r\n\r\n--inner-bound\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n{}\r\n--inner-bound\r\n\
         Content-Type: application/octet-stream; name=\"core.bin\"\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"core.bin\"\r\n\r\n",
        text(4 * KIB, number)
    )
    .into_bytes();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ number as u64;
    while entity.len() + 100 < size {
        let mut line = [0_u8; 57];
        for octet in &mut line {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *octet = state as u8;
        }
        entity.extend_from_slice(base64::engine::general_purpose::STANDARD.encode(line).as_bytes());
        entity.extend_from_slice(b"\r\n");
    }
    entity.extend_from_slice(b"\r\n--inner-bound--\r\n");
    entity
}
