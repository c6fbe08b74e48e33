//! Writes down how a header's value is built: each step gives a handle that later steps name, so that no index is counted by hand.
//!
//! The gateway evaluates a recipe for each request, with the secret that only it has. Limits: 32 steps, 4096 bytes of text in one.

use crate::{HeaderCredential, Hmac, Piece, RequestPart, TimestampFormat};

/// An earlier step of the same recipe.
#[derive(Clone, Copy, Debug)]
pub struct Step(u32);

#[derive(Debug, Default)]
pub struct Recipe(Vec<Piece>);

impl Recipe {
    /// Printable ASCII and line feeds.
    pub fn text(&mut self, text: impl Into<String>) -> Step {
        self.push(Piece::Text(text.into()))
    }

    /// `name`: of the secret setting.
    pub fn secret(&mut self, name: &str) -> Step {
        self.push(Piece::Secret(name.to_owned()))
    }

    pub fn time(&mut self, format: TimestampFormat) -> Step {
        self.push(Piece::Timestamp(format))
    }

    pub fn request(&mut self, part: RequestPart) -> Step {
        self.push(Piece::Request(part))
    }

    pub fn join(&mut self, steps: &[Step]) -> Step {
        self.push(Piece::Concat(steps.iter().map(|step| step.0).collect()))
    }

    pub fn base64(&mut self, of: Step) -> Step {
        self.push(Piece::Base64Encode(of.0))
    }

    pub fn from_base64(&mut self, of: Step) -> Step {
        self.push(Piece::Base64Decode(of.0))
    }

    /// Lower case.
    pub fn hex(&mut self, of: Step) -> Step {
        self.push(Piece::HexEncode(of.0))
    }

    pub fn sha256(&mut self, of: Step) -> Step {
        self.push(Piece::Sha256(of.0))
    }

    pub fn hmac_sha256(&mut self, key: Step, message: Step) -> Step {
        self.push(Piece::HmacSha256(Hmac { key: key.0, message: message.0 }))
    }

    /// The header whose value the last step is. `name`: lower case.
    #[must_use]
    pub fn header(self, name: &str) -> HeaderCredential {
        HeaderCredential { name: name.to_owned(), pieces: self.0 }
    }

    fn push(&mut self, piece: Piece) -> Step {
        let step = Step(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.push(piece);
        step
    }
}

impl HeaderCredential {
    /// A header that holds the secret itself.
    #[must_use]
    pub fn secret(name: &str, secret: &str) -> Self {
        Self { name: name.to_owned(), pieces: vec![Piece::Secret(secret.to_owned())] }
    }

    #[must_use]
    pub fn text(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), pieces: vec![Piece::Text(text.to_owned())] }
    }

    /// The moment of the request: in every header of a credential the same.
    #[must_use]
    pub fn time(name: &str, format: TimestampFormat) -> Self {
        Self { name: name.to_owned(), pieces: vec![Piece::Timestamp(format)] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_names_the_ones_before_it() {
        let mut recipe = Recipe::default();
        let key = recipe.secret("key");
        let path = recipe.request(RequestPart::Path);
        let line = recipe.text("\n");
        let message = recipe.join(&[path, line, path]);
        let signature = recipe.hmac_sha256(key, message);
        recipe.hex(signature);
        let expected = vec![
            Piece::Secret("key".to_owned()),
            Piece::Request(RequestPart::Path),
            Piece::Text("\n".to_owned()),
            Piece::Concat(vec![1, 2, 1]),
            Piece::HmacSha256(Hmac { key: 0, message: 3 }),
            Piece::HexEncode(4),
        ];
        assert_eq!(recipe.header("x-signature"), HeaderCredential { name: "x-signature".to_owned(), pieces: expected });
    }
}
