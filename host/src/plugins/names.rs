//! Which connector ids a person could take for each other (SECURITY P23's class): such an upload is refused, since a name is what people trust.
//!
//! The rule, on ids as the contract allows them (`[a-z][a-z0-9_]{2,63}`). Two ids are alike if
//! 1. their *skeletons* are equal: without `_`, digits as the letters they look like, `rn` as `m`, `vv` as `w`, `cl` as `d`, `i` as `l`; or
//! 2. one step makes one skeleton of the other (a letter more, less, another, or two neighbours swapped), and both have six letters or more.

/// Below this, one letter is a large part of a name: `ftp` and `sftp` are two honest connectors.
const LONG_ENOUGH: usize = 6;

/// Whether they are alike; an id is alike itself.
pub fn alike(one: &str, other: &str) -> bool {
    let (one, other) = (skeleton(one), skeleton(other));
    one == other || (one.len().min(other.len()) >= LONG_ENOUGH && one_step(one.as_bytes(), other.as_bytes()))
}

fn skeleton(id: &str) -> String {
    let letters: String = id
        .chars()
        .filter(|letter| *letter != '_')
        .map(|letter| match letter {
            '0' => 'o',
            '1' | 'i' => 'l',
            '2' => 'z',
            '3' => 'e',
            '4' => 'a',
            '5' => 's',
            '6' | '8' => 'b',
            '7' => 't',
            '9' => 'g',
            other => other,
        })
        .collect();
    letters.replace("rn", "m").replace("vv", "w").replace("cl", "d")
}

/// Whether an insertion, a deletion, a substitution or a swap of neighbours makes one of the other.
fn one_step(one: &[u8], other: &[u8]) -> bool {
    let prefix = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (one.get(prefix..).unwrap_or_default(), other.get(prefix..).unwrap_or_default());
    let suffix = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    let middle = |text: &[u8]| text.get(..text.len() - suffix).unwrap_or_default().to_vec();
    match (middle(one).as_slice(), middle(other).as_slice()) {
        ([], [] | [_]) | ([_], [] | [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sp23_ids_that_look_alike_are_known_and_honest_neighbours_are_not() {
        for (one, other) in [
            ("https_basic", "https_basic"),
            ("https_basic", "httpsbasic"),
            ("https_basic", "https__basic"),
            ("https_basic", "https_basic_"),
            ("https_basic", "https_bas1c"),
            ("https_basic", "https_baslc"),
            ("https_basic", "http5_ba5ic"),
            ("https_basic", "http_basic"),
            ("https_basic", "https_basics"),
            ("https_basic", "https_bsaic"),
            ("https_basic", "https_besic"),
            ("https_basic", "https_basic2"),
            ("aws_iam_role", "aws_iarn_role"),
            ("aws_iam_role", "avvs_iam_role"),
            ("aws_iam_role", "aws_iam_r0le"),
            ("cloud_files", "doud_files"),
        ] {
            assert!(alike(one, other) && alike(other, one), "{one} and {other}");
        }
        for (one, other) in [
            ("https_basic", "https_bearer"),
            ("https_header", "https_bearer"),
            ("https_public", "https_oauth2"),
            ("aws_iam_role", "aws_account_role"),
            ("azure_blob", "gcs_hmac"),
            ("ftp", "sftp"),
            ("gcs", "gcp"),
            ("abcdefgh", "badcfehg"),
        ] {
            assert!(!alike(one, other) && !alike(other, one), "{one} and {other}");
        }
    }
}
