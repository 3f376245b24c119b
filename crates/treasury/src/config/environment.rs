//! Test money and money are never mixed.

/// Which money an organization spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// Money of test networks.
    Test,
    /// Money of main networks.
    Main,
}

impl Environment {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Main => "main",
        }
    }
}
