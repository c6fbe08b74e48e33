//! The in-memory web: URLs that answer. What a test did not put there is a 404.

use super::call;
use crate::http::Answer;
use crate::{Credential, Error, ErrorKind, HttpObject};

pub fn head(_credential: &Credential, object: &HttpObject) -> Result<Answer, Error> {
    call("http.head", &object.url, |host| {
        let nothing = Answer { status: 404, content_type: None, content_length: None, accepts_ranges: false };
        Ok(host.answers.get(&object.url).cloned().unwrap_or(nothing))
    })
}

pub fn get_document(_credential: &Credential, object: &HttpObject) -> Result<String, Error> {
    call("http.get-document", &object.url, |host| {
        host.documents.get(&object.url).cloned().ok_or_else(|| Error::new(ErrorKind::NotFound, "file_not_found", "no such document"))
    })
}
