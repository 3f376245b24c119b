//! Listed skills with the text that is looked in, which is written once for all who look.

use alloc::string::String;
use alloc::vec::Vec;

use super::offered::Offered;

/// All of them.
#[derive(Debug, Default)]
pub struct SkillIndex {
    skills: Vec<Offered>,
    /// Of each skill: its texts in lower case.
    texts: Vec<String>,
    bytes: usize,
}

impl SkillIndex {
    /// An index of these skills, in their order.
    #[must_use]
    pub fn of(skills: Vec<Offered>) -> Self {
        let text = |skill: &Offered| {
            let parts = [&skill.id, &skill.name, &skill.description, &skill.agent];
            parts.map(|it| it.to_lowercase()).join("\n")
        };
        let texts: Vec<String> = skills.iter().map(text).collect();
        let bytes = texts.iter().map(String::len).sum();
        Self { skills, texts, bytes }
    }

    /// The skills, in their order.
    #[must_use]
    pub fn skills(&self) -> &[Offered] {
        &self.skills
    }

    /// Bytes of all texts that are looked in.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The skills with these words in id, name, description or `agentId`, in any case.
    #[must_use]
    pub fn find(&self, wanted: &str) -> Vec<&Offered> {
        if wanted.is_empty() {
            return self.skills.iter().collect();
        }
        let wanted = wanted.to_lowercase();
        let all = self.skills.iter().zip(&self.texts);
        all.filter(|(_, text)| text.contains(&wanted)).map(|(skill, _)| skill).collect()
    }
}
