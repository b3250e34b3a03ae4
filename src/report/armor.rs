//! OpenPGP armor (RFC 9580 section 6.2), written straight through while a message is encrypted.
//!
//! Security: no Version or Comment header, so nothing tells of the program or its host. Only writing is done here; armor
//! from outside is read by the OpenPGP library. It exists because the library's own armor costs more than the cipher.

use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;
use crc::{CRC_24_OPENPGP, Crc, Digest, Table};
use std::io::{self, Write};

/// Characters in a line: the most that RFC 9580 section 6.2.3 allows.
const COLUMNS: usize = 76;

static CRC24: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_24_OPENPGP);

/// What is armored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Armor {
    Message,
    Signature,
    PublicKey,
}

impl Armor {
    fn title(self) -> &'static str {
        match self {
            Self::Message => "MESSAGE",
            Self::Signature => "SIGNATURE",
            Self::PublicKey => "PUBLIC KEY BLOCK",
        }
    }
}

/// Armors what is written to it into a vector. [`ArmorWriter::finish`] must be called.
pub(in crate::report) struct ArmorWriter<'a> {
    encoder: EncoderWriter<'static, base64::engine::GeneralPurpose, Folder<'a>>,
    /// The checksum that implementations of RFC 4880 expect; RFC 9580 forbids it beside version 6 packets.
    checksum: Option<Digest<'static, u32, Table<16>>>,
    kind: Armor,
}

impl<'a> ArmorWriter<'a> {
    /// Begins armor of this kind. `checksum` is for readers of RFC 4880.
    pub(in crate::report) fn new(out: &'a mut Vec<u8>, kind: Armor, checksum: bool) -> Self {
        out.extend_from_slice(format!("-----BEGIN PGP {}-----\r\n\r\n", kind.title()).as_bytes());
        Self {
            encoder: EncoderWriter::new(Folder { out, column: 0 }, &STANDARD),
            checksum: checksum.then(|| CRC24.digest()),
            kind,
        }
    }

    /// Writes the last line, the checksum and the end.
    pub(in crate::report) fn finish(mut self) -> io::Result<()> {
        let folder = self.encoder.finish()?;
        if folder.column > 0 {
            folder.out.extend_from_slice(b"\r\n");
        }
        if let Some(checksum) = self.checksum {
            let [_, high, middle, low] = checksum.finalize().to_be_bytes();
            folder.out.push(b'=');
            folder.out.extend_from_slice(base64::Engine::encode(&STANDARD, [high, middle, low]).as_bytes());
            folder.out.extend_from_slice(b"\r\n");
        }
        folder.out.extend_from_slice(format!("-----END PGP {}-----\r\n", self.kind.title()).as_bytes());
        Ok(())
    }
}

impl Write for ArmorWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.encoder.write(bytes)?;
        if let Some(checksum) = &mut self.checksum {
            checksum.update(bytes.get(..written).unwrap_or_default());
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        // The encoder would write an unfinished quantum; only `finish` may.
        Ok(())
    }
}

/// Breaks base64 into lines.
struct Folder<'a> {
    out: &'a mut Vec<u8>,
    column: usize,
}

impl Write for Folder<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (line, next) = rest.split_at(rest.len().min(COLUMNS - self.column));
            self.out.extend_from_slice(line);
            self.column += line.len();
            if self.column == COLUMNS {
                self.out.extend_from_slice(b"\r\n");
                self.column = 0;
            }
            rest = next;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "armor_tests.rs"]
mod tests;
