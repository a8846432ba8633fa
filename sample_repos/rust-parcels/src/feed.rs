//! What do the hubs report? One scan a line:
//!
//! ```text
//! 2024-03-05T08:15:00Z|PX1001|ARRIVED|HAM|left at the north gate
//! ```
//!
//! The note may be missing. A backslash takes the character after it literally, so `\|` is a bar.
//! Empty lines and lines that begin with `#` say nothing.

use crate::domain::Event;
use crate::error::{Error, Result};

/// One line of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The parcel that it happened to.
    pub number: String,
    /// What happened.
    pub event: Event,
}

/// The scans of a feed in its order; ends with an error at the first line that is none.
pub fn parse(text: &str) -> impl Iterator<Item = Result<Scan>> + '_ {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| parse_scan(line).map_err(|cause| cause.at_line(number)))
}

fn parse_scan(line: &str) -> Result<Scan> {
    let fields = split_fields(line);
    let (at, number, kind, hub, note) = match &fields[..] {
        [at, number, kind, hub] => (at, number, kind, hub, ""),
        [at, number, kind, hub, note] => (at, number, kind, hub, note.as_str()),
        _ => return Err(Error::invalid("a scan of 4 or 5 fields", line)),
    };
    let event =
        Event { at: at.parse()?, kind: kind.parse()?, hub: hub.clone(), note: note.to_owned() };
    Ok(Scan { number: number.clone(), event })
}

/// Splits at unescaped bars and resolves the escapes.
fn split_fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            '|' => {
                fields.push(String::new());
                continue;
            }
            '\\' => characters.next().unwrap_or('\\'),
            other => other,
        };
        if let Some(field) = fields.last_mut() {
            field.push(literal);
        }
    }
    fields.iter().map(|field| field.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved() {
        assert_eq!(split_fields(r"a\|b | c\\|"), ["a|b", r"c\", ""]);
    }

    #[test]
    fn errors_name_the_line() {
        for line in ["a|b", "noon|PX1|ARRIVED|HAM", "2024-03-05T08:00Z|PX1|EATEN|HAM"] {
            let text = format!("# first\n\n{line}");
            let error = parse(&text).next().unwrap().unwrap_err();
            assert!(error.to_string().starts_with("line 3: "), "{error}");
        }
    }
}
