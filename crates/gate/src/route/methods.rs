//! The methods a rule allows.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The methods of a rule: all ordinary ones, or a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Methods(Option<Vec<String>>);

impl Methods {
    /// GET, HEAD, POST, PUT, PATCH and DELETE. OPTIONS, TRACE, CONNECT and methods unknown here are
    /// not among them.
    pub fn all() -> Self {
        Self(None)
    }

    /// A list of method names as they stand in a request line; `GET` includes `HEAD`. Spec:
    /// docs/configuration.md, "Routes".
    ///
    /// # Errors
    /// [`MethodsError`] for an empty list, a name in lower case or not a token, and for `OPTIONS`,
    /// `TRACE` and `CONNECT`.
    ///
    /// # Examples
    /// ```
    /// use farebox_gate::route::{Methods, MethodsError};
    /// let methods = Methods::list(["GET", "POST"]).unwrap();
    /// assert!(methods.allows("HEAD") && !methods.allows("get"));
    /// assert_eq!(Methods::list(["get"]), Err(MethodsError::NotUpperCase { name: "get".into() }));
    /// ```
    pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, MethodsError> {
        let mut list: Vec<String> = Vec::new();
        for name in names {
            if matches!(name, "OPTIONS" | "TRACE" | "CONNECT") {
                return Err(MethodsError::NotForRoutes { name: String::from(name) });
            }
            let is_name = |byte: u8| {
                byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
            };
            if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(is_name) {
                return Err(MethodsError::NotUpperCase {
                    name: name.chars().take(MAX_NAME_BYTES).collect(),
                });
            }
            if !list.iter().any(|listed| listed == name) {
                list.push(String::from(name));
            }
        }
        if list.is_empty() { Err(MethodsError::Empty) } else { Ok(Self(Some(list))) }
    }

    /// Whether a request with this method is allowed; compared byte for byte.
    pub fn allows(&self, method: &str) -> bool {
        self.names().any(|name| name == method)
    }

    /// Whether it is [`Methods::all`].
    pub fn is_all(&self) -> bool {
        self.0.is_none()
    }

    /// Every allowed method by name, `HEAD` included where `GET` is.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let (all, list): (&[&str], &[String]) = match &self.0 {
            None => (&ALL, &[]),
            Some(list) => (&[], list),
        };
        let has = |name: &str| list.iter().any(|listed| listed == name);
        let implied: Option<&str> = if has("GET") && !has("HEAD") { Some("HEAD") } else { None };
        all.iter().copied().chain(list.iter().map(String::as_str)).chain(implied)
    }

    pub(super) fn common(&self, other: &Self) -> Option<String> {
        self.names().find(|name| other.allows(name)).map(String::from)
    }
}

/// Reason why a list of methods was refused. The operator has to change it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MethodsError {
    /// The list is empty.
    Empty,
    /// Methods are upper-case tokens.
    NotUpperCase {
        /// The name, cut to 32 characters.
        name: String,
    },
    /// OPTIONS is answered by the gate on paid paths and forwarded elsewhere; TRACE and CONNECT are
    /// never forwarded.
    NotForRoutes {
        /// The name.
        name: String,
    },
}

impl fmt::Display for MethodsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "no method listed; leave `methods` out for all of them"),
            Self::NotUpperCase { name } => {
                write!(f, "`{name}` is not a method name; write it in upper case, as in `GET`")
            }
            Self::NotForRoutes { name } => {
                write!(f, "`{name}` cannot be listed; remove it, the gate handles it itself")
            }
        }
    }
}

impl core::error::Error for MethodsError {}

const ALL: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
const MAX_NAME_BYTES: usize = 32;
