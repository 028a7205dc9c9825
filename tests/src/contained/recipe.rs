//! What the `Containerfile` says of the image that is no file in it.

use std::fs;

use super::checkout;

/// Its last stage.
pub struct Recipe {
    lines: Vec<String>,
}

impl Recipe {
    /// Reads it.
    pub fn read() -> Self {
        let text = fs::read_to_string(checkout().join("container/Containerfile")).unwrap();
        let joined = text.replace("\\\n", " ");
        let last = joined.rsplit_once("\nFROM ").expect("a stage").1;
        Self { lines: last.lines().map(str::to_owned).collect() }
    }

    /// What stands after an instruction.
    pub fn of(&self, instruction: &str) -> &str {
        let found = self.lines.iter().find_map(|line| line.strip_prefix(instruction)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no {instruction} in the last stage"))
    }

    /// The words of an instruction that has them as JSON.
    pub fn words(&self, instruction: &str) -> Vec<String> {
        let text = self.of(instruction);
        serde_json::from_str(&text[text.find('[').unwrap_or_default()..]).unwrap()
    }

    /// `ENV`.
    pub fn environment(&self) -> Vec<(String, String)> {
        let pairs = self.of("ENV").split_whitespace().map(|pair| pair.split_once('=').unwrap());
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}
