//! Takes every secret that was sent out of what came back, in the forms that a remote may echo it in.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

const MARK: &[u8] = b"[secret]";
/// Shorter forms would match by chance; the secret itself is taken out at any length.
const SHORTEST_FORM: usize = 4;

type Bytes = Zeroizing<Vec<u8>>;

/// `text` without `secrets`: as they are, in base64 at any alignment, percent-encoded, in hex, as JSON strings.
pub(super) fn scrub(text: Vec<u8>, secrets: &[Bytes]) -> Vec<u8> {
    let mut forms: Vec<Bytes> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    // The longest first: a short form inside a long one must not break it up.
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup_by(|a, b| a == b);
    forms.iter().fold(text, |text, form| replace(text, form))
}

fn forms(secret: &[u8]) -> Vec<Bytes> {
    if secret.is_empty() {
        return Vec::new();
    }
    let mut forms = vec![hex::encode(secret), hex::encode_upper(secret)];
    for upper in [true, false] {
        for everything in [true, false] {
            forms.push(percent(secret, everything, upper, false));
        }
        forms.push(percent(secret, false, upper, true));
    }
    for lead in 0..3 {
        forms.push(base64_core(secret, lead, &STANDARD_NO_PAD));
        forms.push(base64_core(secret, lead, &URL_SAFE_NO_PAD));
    }
    if let Ok(text) = std::str::from_utf8(secret)
        && let Ok(quoted) = serde_json::to_string(text)
    {
        forms.push(quoted.trim_matches('"').to_owned());
    }
    let mut forms: Vec<Bytes> = forms.into_iter().filter(|form| form.len() >= SHORTEST_FORM).map(|form| Zeroizing::new(form.into_bytes())).collect();
    forms.push(Zeroizing::new(secret.to_vec()));
    forms
}

fn percent(secret: &[u8], everything: bool, upper: bool, plus: bool) -> String {
    let mut text = String::with_capacity(secret.len() * 3);
    for byte in secret {
        if !everything && (byte.is_ascii_alphanumeric() || b"-._~".contains(byte)) {
            text.push(char::from(*byte));
        } else if plus && *byte == b' ' {
            text.push('+');
        } else if upper {
            text.push_str(&format!("%{byte:02X}"));
        } else {
            text.push_str(&format!("%{byte:02x}"));
        }
    }
    text
}

/// The digits that depend on the secret alone, where `lead` (0 to 2) foreign bytes come before it in its group of three.
fn base64_core(secret: &[u8], lead: usize, engine: &impl Engine) -> String {
    let mut padded = Zeroizing::new(vec![0; lead]);
    padded.extend_from_slice(secret);
    let text = Zeroizing::new(engine.encode(padded.as_slice()));
    let first = (lead * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    text.get(first..last).unwrap_or_default().to_owned()
}

fn replace(text: Vec<u8>, form: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(text.len());
    let mut rest = text.as_slice();
    while let Some(at) = rest.windows(form.len()).position(|window| window == form) {
        let (before, found) = rest.split_at(at);
        clean.extend_from_slice(before);
        clean.extend_from_slice(MARK);
        rest = found.get(form.len()..).unwrap_or_default();
    }
    clean.extend_from_slice(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubbed(text: &str, secret: &str) -> String {
        String::from_utf8(scrub(text.as_bytes().to_vec(), &[Zeroizing::new(secret.as_bytes().to_vec())])).expect("UTF-8")
    }

    #[test]
    fn b01_m18_a_secret_is_found_in_every_form() {
        let secret = "pa ss/wörd+\"~1";
        for lead in ["", "u", "us", "user:"] {
            for tail in ["", "x", "xy"] {
                let pair = format!("{lead}{secret}{tail}");
                for encoded in [STANDARD_NO_PAD.encode(&pair), URL_SAFE_NO_PAD.encode(&pair)] {
                    let clean = scrubbed(&format!("seen: {encoded}."), secret);
                    assert!(clean.contains("[secret]"), "{lead:?} {tail:?}");
                    assert!(clean.len() <= "seen: [secret].".len() + (lead.len() + tail.len() + 2) * 4 / 3, "only the neighbours' digits are left: {clean}");
                }
            }
        }
        let forms = [
            secret.to_owned(),
            hex::encode(secret),
            hex::encode_upper(secret),
            "pa%20ss%2Fw%C3%B6rd%2B%22~1".to_owned(),
            "pa%20ss%2fw%c3%b6rd%2b%22~1".to_owned(),
            "pa+ss%2Fw%C3%B6rd%2B%22~1".to_owned(),
            secret.bytes().map(|byte| format!("%{byte:02X}")).collect(),
            "pa ss/wörd+\\\"~1".to_owned(),
        ];
        for form in forms {
            assert_eq!(scrubbed(&format!("<a>{form}</a>{form}"), secret), "<a>[secret]</a>[secret]", "{form}");
        }
    }

    #[test]
    fn b01_other_text_is_left_alone() {
        assert_eq!(scrubbed("nothing to see", "canary"), "nothing to see");
        assert_eq!(scrubbed("nothing to see", ""), "nothing to see");
        assert_eq!(scrubbed("ab", "b"), "a[secret]");
    }
}
