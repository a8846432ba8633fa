//! What can go wrong.

use std::fmt;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that the user, not this program, has to put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The command line makes no sense.
    Usage(String),
    /// Some text is not the value that it should be.
    Invalid {
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A line of a file cannot be read.
    Line {
        /// Counted from 1.
        number: usize,
        /// Why not.
        cause: Box<Error>,
    },
    /// No hub has this code.
    UnknownHub(String),
    /// No parcel has this number.
    UnknownParcel(String),
    /// No links connect two hubs.
    NoRoute(String, String),
    /// A file cannot be opened.
    File(String),
}

impl Error {
    /// Some text is not the value that it should be.
    pub fn invalid(expected: &'static str, found: &str) -> Self {
        Error::Invalid { expected, found: found.to_owned() }
    }

    /// The same error, with the line that it occurred in.
    #[must_use]
    pub fn at_line(self, number: usize) -> Self {
        Error::Line { number, cause: Box::new(self) }
    }

    /// 2 for a wrong call, 3 for input that was refused.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) => 2,
            _ => 3,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage(reason) | Error::File(reason) => f.write_str(reason),
            Error::Invalid { expected, found } => write!(f, "{found:?} is not {expected}"),
            Error::Line { number, cause } => write!(f, "line {number}: {cause}"),
            Error::UnknownHub(code) => write!(f, "no hub has the code {code}"),
            Error::UnknownParcel(number) => write!(f, "no parcel has the number {number}"),
            Error::NoRoute(from, to) => write!(f, "no route leads from {from} to {to}"),
        }
    }
}

impl std::error::Error for Error {}
