//! Text of others in documents: one type for each place, and one way into it.
//!
//! A document is made of literals of this program and of values. A literal is `&'static str`; a value
//! is escaped for its place, so that it stays text there. Nothing else compiles:
//!
//! ```compile_fail
//! use farebox_base::text::Html;
//! let name = String::from("<script>");
//! let page = Html::literal(&format!("<h1>{name}</h1>"));
//! ```
//!
//! ```
//! use farebox_base::text::{Html, Markdown, Shell};
//! let page = Html::fill("<h1>{}</h1>", [Html::of("<script>")]);
//! assert_eq!(page.as_str(), "<h1>&lt;script&gt;</h1>");
//! let line = Shell::fill("npx --no farebox pay {}", [Shell::of("https://a.example/v1;touch x")]);
//! assert_eq!(line.as_str(), "npx --no farebox pay 'https://a.example/v1;touch x'");
//! assert_eq!(Markdown::of("# [a](b)").as_str(), "\\# \\[a\\](b)");
//! ```
//!
//! Characters that hide, or turn the direction of the text around them, are shown by their number in
//! every place.

mod csv;
mod cut;
mod hidden;
mod html;
mod markdown;
mod shell;
mod slack;
mod yaml;

use alloc::string::String;
use core::marker::PhantomData;

pub use csv::csv_line;
pub use cut::cut;
pub use hidden::{hidden_class, is_hidden, single_line};
pub use html::HtmlPlace;
pub use markdown::MarkdownPlace;
pub use shell::ShellPlace;
pub use slack::SlackPlace;
pub use yaml::YamlPlace;

/// HTML, between tags or in a quoted attribute.
pub type Html = Text<HtmlPlace>;
/// Markdown (CommonMark) on one line.
pub type Markdown = Text<MarkdownPlace>;
/// A command line of a POSIX shell; each value is one argument.
pub type Shell = Text<ShellPlace>;
/// A message of Slack; each value is a span of code.
pub type Slack = Text<SlackPlace>;
/// YAML; each value is one quoted scalar.
pub type Yaml = Text<YamlPlace>;

/// A place in a document: how a value is written there.
pub trait Place {
    /// Writes a value so that it stays text.
    fn write(value: &str, out: &mut String);
}

/// A part of a document whose values are escaped for this place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<P> {
    written: String,
    place: PhantomData<P>,
}

impl<P: Place> Text<P> {
    /// A value: text of an operator, a seller, a payer or a server.
    #[must_use]
    pub fn of(value: &str) -> Self {
        let mut written = String::with_capacity(value.len());
        P::write(value, &mut written);
        Self::trusted(written)
    }

    /// Markup of this program.
    #[must_use]
    pub fn literal(markup: &'static str) -> Self {
        Self::trusted(String::from(markup))
    }

    /// Markup of this program whose `{}` are replaced by these parts, one after the other. A `{}`
    /// without a part is left out, and so is a part without a `{}`.
    #[must_use]
    pub fn fill(template: &'static str, parts: impl IntoIterator<Item = Self>) -> Self {
        let mut written = String::with_capacity(template.len().saturating_mul(2));
        let mut parts = parts.into_iter();
        let mut pieces = template.split("{}");
        written.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            if let Some(part) = parts.next() {
                written.push_str(&part.written);
            }
            written.push_str(piece);
        }
        Self::trusted(written)
    }

    /// Parts one after the other, with markup of this program between them.
    #[must_use]
    pub fn join(parts: impl IntoIterator<Item = Self>, between: &'static str) -> Self {
        let mut written = String::new();
        for (at, part) in parts.into_iter().enumerate() {
            if at > 0 {
                written.push_str(between);
            }
            written.push_str(&part.written);
        }
        Self::trusted(written)
    }

    /// Whether nothing is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// The document so far.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The document.
    #[must_use]
    pub fn into_string(self) -> String {
        self.written
    }

    /// Private to this module: the only way past the escaping.
    const fn trusted(written: String) -> Self {
        Self { written, place: PhantomData }
    }
}
