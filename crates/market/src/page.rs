//! The way from the pages of one half of the market to those of the other.

use farebox_base::text::Html;

/// Whether the Worker serves the other half as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// It does.
    Served,
    /// There is one half.
    Nothing,
}

impl Beside {
    /// The navigation to the first page of the other half; empty where there is none.
    pub(crate) fn link(self, path: &'static str, name: &'static str) -> Html {
        match self {
            Self::Served => Html::fill(
                "<nav aria-label=\"Market\"><a href=\"{}\">{}</a></nav>",
                [Html::literal(path), Html::literal(name)],
            ),
            Self::Nothing => Html::literal(""),
        }
    }
}
