//! Every shape that mail programs and servers give to OpenPGP mail, carried through the whole gateway: each member's copy opens
//! with gpg and holds the text and the attachments byte for byte.

use crate::world::*;

/// One mail, and what a member must find in the copy.
struct Shape {
    name: &'static str,
    content: Vec<u8>,
    /// What the decrypted part holds, octet for octet.
    payload: Vec<u8>,
    /// What the statement says of the encryption.
    encryption: &'static str,
    /// The subject that members see.
    subject: String,
}

struct Maker<'a> {
    eve: &'a Actor,
    gateway: std::path::PathBuf,
    made: Vec<Shape>,
}

fn part(fields: &str, body: &[u8]) -> Vec<u8> {
    [fields.as_bytes(), b"\r\n\r\n", body].concat()
}

fn control() -> Vec<u8> {
    part("Content-Type: application/pgp-encrypted", b"Version: 1\r\n")
}

fn pgp_mime(cipher: Vec<u8>) -> Vec<u8> {
    mime::multipart("encrypted; protocol=\"application/pgp-encrypted\"", &[control(), cipher])
}

impl Maker<'_> {
    fn armored(&self, payload: &[u8]) -> String {
        self.eve.encrypt(payload, std::slice::from_ref(&self.gateway), false, 0)
    }

    fn number(&self) -> usize {
        self.made.len()
    }

    /// Text that occurs in no other mail.
    fn words(&self) -> String {
        format!("heap overflow in shape {} of many", self.number())
    }

    fn entity(&self) -> Vec<u8> {
        format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{}\r\n", self.words()).into_bytes()
    }

    fn takes(&mut self, name: &'static str, encryption: &'static str, payload: &[u8], content: Vec<u8>) -> &mut Shape {
        let subject = format!("Shape {}", self.number());
        self.made.push(Shape { name, content, payload: payload.to_vec(), encryption, subject });
        self.made.last_mut().unwrap()
    }

    /// What programs write.
    fn programs(&mut self) {
        let payload = self.entity();
        let armored = self.armored(&payload);
        let odd = armored.replacen(
            "-----\n",
            "-----\r\nVersion: Mailvelope v5\r\nComment: https://mailvelope.com\r\nCharset: utf-8\r\n",
            1,
        );
        let odd = odd.lines().map(|line| format!("{line} \t\r\n")).collect::<String>();
        self.takes(
            "armor with header lines and trailing blanks",
            "complete",
            &payload,
            pgp_mime(part("Content-Type: application/octet-stream", odd.as_bytes())),
        );

        let payload = self.entity();
        let mut binary = self.armored(&payload);
        binary = mime::base64_lines(&mime::dearmor(&binary));
        self.takes(
            "binary data in base64",
            "complete",
            &payload,
            pgp_mime(part(
                "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64",
                binary.as_bytes(),
            )),
        );

        let words = self.words();
        let inner = format!(
            "Content-Type: multipart/mixed; boundary=e; protected-headers=\"v1\"\r\nSubject: Old protection\r\n\r\n--e\r\n\
             Content-Type: text/rfc822-headers; protected-headers=\"v1\"\r\nContent-Disposition: inline\r\n\r\nSubject: Old protection\r\n\r\n\
             --e\r\nContent-Type: text/plain\r\n\r\n{words}\r\n--e--\r\n"
        );
        let content =
            pgp_mime(part("Content-Type: application/octet-stream", self.armored(inner.as_bytes()).as_bytes()));
        self.takes("protected header fields in a part of their own", "complete", inner.as_bytes(), content).subject =
            "Old protection".into();

        let words = self.words();
        let inner = format!(
            "Subject: New protection\r\nHP-Outer: Subject: [...]\r\nContent-Type: text/plain; charset=utf-8; hp=\"cipher\"; hp-legacy-display=\"1\"\r\n\r\n\
             Subject: New protection\r\n\r\n{words}\r\n"
        );
        let content =
            pgp_mime(part("Content-Type: application/octet-stream", self.armored(inner.as_bytes()).as_bytes()));
        self.takes(
            "protected header fields with their display for old programs",
            "complete",
            inner.as_bytes(),
            content,
        )
        .subject = "New protection".into();

        let file: Vec<u8> = (0..=255).rev().cycle().take(2000).collect();
        let text = self.entity();
        let attached = [
            b"Content-Type: application/octet-stream\r\nContent-Disposition: attachment;\r\n filename*0*=utf-8''Gr%C3%BC;\r\n filename*1=\"sse.bin\"\r\n\
              Content-Transfer-Encoding: base64\r\n\r\n"
                .as_slice(),
            mime::base64_lines(&file).as_bytes(),
            b"\r\n",
        ]
        .concat();
        let payload = mime::multipart("mixed", &[text, attached]);
        let content = pgp_mime(part("Content-Type: application/octet-stream", self.armored(&payload).as_bytes()));
        self.takes("an attachment with a name in pieces", "complete", &payload, content);

        let payload = [self.entity(), vec![b'x'; 100_000], b"\r\nnul \0 and bare \r and\n".to_vec()].concat();
        let content = pgp_mime(part("Content-Type: application/octet-stream", self.armored(&payload).as_bytes()));
        self.takes("very long lines, NUL octets and bare line ends inside", "complete", &payload, content);
    }

    /// What servers make of it.
    fn servers(&mut self) {
        let cipher = |armored: &str, media: &str| {
            part(&format!("Content-Type: {media}; name=\"encrypted.asc\""), armored.as_bytes())
        };
        let empty = part("Content-Type: text/plain", b"\r\n");
        let footer = part("Content-Type: text/plain", b"-- \r\nlist footer\r\n");

        let payload = self.entity();
        let parts = [empty.clone(), control(), cipher(&self.armored(&payload), "application/octet-stream")];
        self.takes("multipart/mixed by Exchange", "complete", &payload, mime::multipart("mixed", &parts));

        let payload = self.entity();
        let inner = pgp_mime(cipher(&self.armored(&payload), "application/octet-stream"));
        self.takes(
            "a footer before it by Google Workspace",
            "partial",
            &payload,
            mime::multipart("mixed", &[footer.clone(), inner]),
        );

        let payload = self.entity();
        let inner = pgp_mime(cipher(&self.armored(&payload), "application/octet-stream"));
        self.takes(
            "a footer behind it by a list",
            "partial",
            &payload,
            mime::multipart("mixed", &[inner, footer.clone()]),
        );

        let payload = self.entity();
        let parts = [control(), cipher(&self.armored(&payload), "application/octet-stream"), footer];
        self.takes(
            "a footer within it",
            "partial",
            &payload,
            mime::multipart("encrypted; protocol=\"application/pgp-encrypted\"", &parts),
        );

        let payload = self.entity();
        let parts = [control(), cipher(&self.armored(&payload), "text/plain")];
        self.takes("wrong types", "complete", &payload, mime::multipart("encrypted", &parts));

        let payload = self.entity();
        let content = cipher(&self.armored(&payload), "application/octet-stream");
        self.takes("nothing but an octet stream", "complete", &payload, content);

        let payload = self.entity();
        let content = pgp_mime(cipher(&self.armored(&payload), "application/octet-stream"));
        let content = String::from_utf8(content).unwrap();
        let at = content.find("boundary=").unwrap();
        let end = at + content[at..].find("\r\n").unwrap();
        let lost = [&content[..at], "boundary=\"\"", &content[end..]].concat();
        self.takes("a lost boundary", "complete", &payload, lost.into_bytes());

        let payload = self.entity();
        let content = String::from_utf8(pgp_mime(cipher(&self.armored(&payload), "application/octet-stream"))).unwrap();
        let cut = content.trim_end().rsplit_once("\r\n").unwrap().0.to_owned();
        self.takes("without its last boundary line", "complete", &payload, cut.replace("\r\n", "\n").into_bytes());
    }

    /// Armor in text.
    fn inline(&mut self) {
        let text = |encoding: &str, body: &[u8]| {
            part(&format!("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}"), body)
        };
        let payload = format!("{}\n", self.words()).into_bytes();
        let armored = self.armored(&payload);
        self.takes(
            "inline in quoted-printable",
            "complete",
            &payload,
            text("quoted-printable", armored.replace('=', "=3D").as_bytes()),
        );

        let payload = format!("{}\n", self.words()).into_bytes();
        let armored = self.armored(&payload);
        self.takes(
            "inline in base64",
            "complete",
            &payload,
            text("base64", mime::base64_lines(armored.as_bytes()).as_bytes()),
        );

        let payload = format!("{}\n", self.words()).into_bytes();
        let body = format!("Hello,\n\n{}\nBye.\n", self.armored(&payload));
        self.takes("inline amid other text", "partial", &payload, text("7bit", body.as_bytes()));

        let payload = format!("{}\n", self.words()).into_bytes();
        let quoted: String = self.armored(&payload).lines().map(|line| format!("> {line}\n")).collect();
        self.takes("quoted armor", "complete", &payload, text("7bit", quoted.as_bytes()));

        let payload = format!("{}\n", self.words()).into_bytes();
        let html = format!("<html><body><pre>{}</pre></body></html>", self.armored(&payload));
        self.takes(
            "armor in HTML",
            "complete",
            &payload,
            part("Content-Type: text/html; charset=utf-8", html.as_bytes()),
        );

        let payload: Vec<u8> =
            [0xff, 0xfe].into_iter().chain(self.words().encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let armored = self.armored(&payload);
        self.takes("inline in UTF-16", "complete", &payload, text("7bit", armored.as_bytes()));

        let payload: Vec<u8> = [self.words().as_bytes(), b" Gr\xfc\xdfe\n"].concat();
        let armored = self.armored(&payload).replacen("-----\n", "-----\nCharset: iso-8859-1\n", 1);
        self.takes("inline with a character set in the armor", "complete", &payload, text("7bit", armored.as_bytes()));

        let payload = [self.words().as_bytes(), b"\x7fELF\0\xff"].concat();
        let sealed = mime::dearmor(&self.armored(&payload));
        let parts = [mime::text(""), mime::attachment("poc.bin.gpg", "application/octet-stream", &sealed)];
        self.takes("an encrypted attachment and nothing else", "complete", &payload, mime::multipart("mixed", &parts));
    }
}

#[test]
fn every_shape_of_openpgp_mail_reaches_every_member_byte_for_byte() {
    let world = World::new().members(["alice", "bob"]).start();
    let eve = world.reporter("eve");
    let mut maker = Maker { eve: &eve, gateway: world.gateway.current_certificate(), made: Vec::new() };
    maker.programs();
    maker.servers();
    maker.inline();
    for (number, shape) in maker.made.iter().enumerate() {
        let outer = if shape.subject.starts_with("Shape") { &shape.subject } else { "..." };
        let head = format!(
            "From: <{}>\r\nTo: {TEAM}\r\nSubject: {outer}\r\nMessage-ID: <{number}.{}@x.example>\r\nMIME-Version: 1.0\r\n",
            eve.address,
            mime::unique("m")
        );
        world.gateway.finds_in_mailbox(&[head.as_bytes(), &shape.content].concat());
    }
    world.gateway.runs_once();
    for member in ["alice", "bob"] {
        let mails = world.members.mails_of(member);
        for (number, shape) in maker.made.iter().enumerate() {
            println!("shape: {}", shape.name);
            let words = format!("heap overflow in shape {number} of many");
            let holds = |part: &&Vec<u8>| mime::find(part, &shape.payload).is_some();
            let copies: Vec<&Copy> = mails.iter().filter(|copy| copy.parts.iter().any(|part| holds(&part))).collect();
            let [copy] = copies.as_slice() else {
                panic!("{member} has {} copies of {:?} byte for byte", copies.len(), shape.name)
            };
            assert!(copy.shows(&words), "{}: the text is shown", shape.name);
            assert_eq!(copy.says("Encryption"), shape.encryption, "{}", shape.name);
            assert_eq!(copy.says("Subject"), shape.subject, "{}", shape.name);
            assert_eq!(copy.warns("unencrypted-part"), shape.encryption == "partial", "{}", shape.name);
            // No part holds what came encrypted together with what did not.
            for part in copy.parts.iter().filter(holds) {
                let clear = ["list footer", "Hello,", "Bye."];
                assert!(clear.iter().all(|word| mime::find(part, word.as_bytes()).is_none()), "{}: joined", shape.name);
            }
        }
    }
    assert_eq!(world.gateway.lists(&["cases", "list"]).len(), maker.made.len(), "each opens a case of its own");
    world.nothing_outside_contains("in shape 3 of many");
    assert_eq!(world.waiting_in_mailbox(), 0);
}
