//! Names and values out of a query or a form: percent-decoded to bytes, strictly.

use std::borrow::Cow;

use super::problem::Problem;

/// The parameters of one request, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, [u8]>)>,
}

impl<'a> Parameters<'a> {
    /// Reads `a=1&b=2`, where `+` is a space. Only the `known` names are taken, each once.
    pub fn parse(text: &'a str, known: &[&str]) -> Result<Parameters<'a>, Problem> {
        let mut parameters = Parameters::default();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = match form_decoded(name)? {
                Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
                Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
            };
            let value = form_decoded(value)?;
            parameters.add(name, value, known)?;
        }
        Ok(parameters)
    }

    /// Adds one more.
    pub fn add(&mut self, name: Cow<'a, str>, value: Cow<'a, [u8]>, known: &[&str]) -> Result<(), Problem> {
        if !known.contains(&name.as_ref()) {
            let takes = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let detail = format!("unknown parameter `{}`; this request takes {takes}", shown(name.as_bytes()));
            return Err(Problem::malformed("bad_parameter", detail));
        }
        if self.get(&name).is_some() {
            return Err(Problem::malformed("bad_parameter", format!("the parameter `{name}` is given twice")));
        }
        self.pairs.push((name, value));
        Ok(())
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_ref())
    }

    /// The value of a parameter that has to be text, read by `read`; `takes` ends the sentence when it cannot be read.
    pub fn read<T>(&self, name: &str, takes: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        let Some(bytes) = self.get(name) else { return Ok(None) };
        let value = std::str::from_utf8(bytes).ok().and_then(read);
        let bad = || Problem::malformed(bad_code(name), format!("`{name}` is `{}`; it takes {takes}", shown(bytes)));
        value.map(Some).ok_or_else(bad)
    }

    /// Takes the parameters of another place in: none may be in both.
    pub fn merge(&mut self, other: Parameters<'a>, known: &[&str]) -> Result<(), Problem> {
        other.pairs.into_iter().try_for_each(|(name, value)| self.add(name, value, known))
    }
}

/// Decodes `%41`; every `%` must begin an escape. Borrows when there is none.
pub fn percent_decoded(text: &str) -> Result<Cow<'_, [u8]>, Problem> {
    if !text.as_bytes().contains(&b'%') {
        return Ok(Cow::Borrowed(text.as_bytes()));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digit = |byte: &u8| (*byte as char).to_digit(16).map(|d| d as u8);
        match rest {
            [high, low, tail @ ..] if digit(high).is_some() && digit(low).is_some() => {
                decoded.extend(digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low));
                rest = tail;
            }
            _ => {
                let seen = shown(&rest[..rest.len().min(2)]);
                let detail = format!("broken percent-encoding: `%{seen}`; a `%` is followed by two hexadecimal digits");
                return Err(Problem::malformed("bad_encoding", detail));
            }
        }
    }
    Ok(Cow::Owned(decoded))
}

/// Bytes as a message may show them: printable, and not too long.
pub fn shown(bytes: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).escape_debug().collect();
    if bytes.len() > 64 { format!("{text}…") } else { text }
}

fn form_decoded(text: &str) -> Result<Cow<'_, [u8]>, Problem> {
    if !text.contains('+') {
        return percent_decoded(text);
    }
    percent_decoded(&text.replace('+', " ")).map(|bytes| Cow::Owned(bytes.into_owned()))
}

fn bad_code(name: &str) -> &'static str {
    match name {
        "ttl" => "bad_ttl",
        "timeout" => "bad_timeout",
        "file" => "bad_file",
        _ => "bad_parameter",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_parse_or_say_what_is_wrong() {
        let check = |text: &str, expected: &str| {
            let seen = match Parameters::parse(text, &["key", "ttl"]) {
                Ok(p) => p.pairs.iter().map(|(n, v)| format!("{n}:{};", shown(v))).collect(),
                Err(problem) => problem.detail,
            };
            assert_eq!(seen, expected, "{text:?}");
        };
        check("", "");
        check("key=a&ttl=5", "key:a;ttl:5;");
        check("key=a+b%2Bc&", "key:a b+c;");
        check("key", "key:;");
        check("key=a=b", "key:a=b;");
        check("k%65y=1", "key:1;");
        check("key=%zz", "broken percent-encoding: `%zz`; a `%` is followed by two hexadecimal digits");
        check("key=%4", "broken percent-encoding: `%4`; a `%` is followed by two hexadecimal digits");
        check("key=1&key=2", "the parameter `key` is given twice");
        check("tll=1", "unknown parameter `tll`; this request takes key, ttl");
    }
}
