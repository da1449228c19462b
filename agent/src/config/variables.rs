//! `${name}` in texts of the configuration: a name of `[vars]`, otherwise of the environment. Nothing is ever run.
//!
//! A variable may be a list of texts; it stands for them where a list is wanted, alone in its quotes.

use std::collections::BTreeMap;

use super::parse::Spot;
use crate::cli::nearest;
use crate::name::harmless_line;
use crate::world::Environment;

/// Most variables.
const VARIABLES_MAX: usize = 1_000;

/// Names and what they stand for.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    own: BTreeMap<String, String>,
    /// Those that are lists, each text with its place.
    lists: BTreeMap<String, Vec<(String, Spot)>>,
    environment: Environment,
}

impl Variables {
    /// Those of the environment.
    pub fn of(environment: &Environment) -> Self {
        Self { environment: environment.clone(), ..Self::default() }
    }

    /// Sets one as it is written in `[vars]`.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        self.may_set(name)?;
        self.own.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// Sets one that is a list.
    pub fn set_list(&mut self, name: &str, texts: Vec<(String, Spot)>) -> Result<(), String> {
        self.may_set(name)?;
        self.lists.insert(name.to_owned(), texts);
        Ok(())
    }

    fn may_set(&self, name: &str) -> Result<(), String> {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(good) {
            return Err("a name has letters, digits, _ and -".to_owned());
        }
        if self.own.len() + self.lists.len() >= VARIABLES_MAX {
            return Err("there are more than 1,000 variables".to_owned());
        }
        Ok(())
    }

    /// The texts for which `${name}` stands, when that is all of the text and a list.
    pub fn list(&self, text: &str) -> Option<&[(String, Spot)]> {
        let name = text.strip_prefix("${")?.strip_suffix('}')?;
        self.lists.get(name).map(Vec::as_slice)
    }

    /// These, with those of `inner` before them. Values of `inner` may name these, texts of its lists its values, too.
    pub fn with(&self, inner: &Self) -> Result<Self, String> {
        let mut all = self.clone();
        for (name, value) in &inner.own {
            all.own.insert(name.clone(), self.fill(value)?);
            all.lists.remove(name);
        }
        for (name, texts) in &inner.lists {
            let filled = |(text, spot): &(String, Spot)| Ok::<_, String>((all.fill(text)?, *spot));
            let texts = texts.iter().map(filled).collect::<Result<_, _>>()?;
            all.lists.insert(name.clone(), texts);
            all.own.remove(name);
        }
        Ok(all)
    }

    /// A text with every variable filled in.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, after) = rest.split_at(at);
            let after = after.get(2..).unwrap_or_default();
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = after;
                continue;
            }
            out.push_str(before);
            let (name, after) =
                after.split_once('}').ok_or("a ${ has no }; write $${ for the characters themselves")?;
            out.push_str(&self.value(name)?);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value(&self, name: &str) -> Result<String, String> {
        if let Some(value) = self.own.get(name) {
            return Ok(value.clone());
        }
        if self.lists.contains_key(name) {
            return Err(format!(
                "the variable \"{name}\" is a list: it stands alone in its quotes, where a list is wanted"
            ));
        }
        if let Some(value) = self.environment.text(name).map_err(|fault| fault.message)? {
            return Ok(value);
        }
        let near = nearest(name, self.own.keys().chain(self.lists.keys()).map(String::as_str))
            .map(|near| format!("; did you mean ${{{near}}}?"));
        Err(format!("there is no variable \"{}\"{}", harmless_line(name), near.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in() {
        let mut variables = Variables::of(&Environment([("WHO".into(), "ana".into())].into()));
        variables.set("disk", "/media/disk").unwrap();
        for (text, made) in [
            ("${disk}/vault", "/media/disk/vault"),
            ("${disk}/${WHO}", "/media/disk/ana"),
            ("$${disk} $x $", "${disk} $x $"),
            ("plain", "plain"),
        ] {
            assert_eq!(variables.fill(text).unwrap(), made);
        }
        assert_eq!(variables.fill("${dsk}").unwrap_err(), "there is no variable \"dsk\"; did you mean ${disk}?");
        assert!(variables.fill("${disk").is_err() && variables.set("a b", "").is_err());
        let mut inner = Variables::default();
        inner.set("vault", "${disk}/v").unwrap();
        assert_eq!(variables.with(&inner).unwrap().fill("${vault}").unwrap(), "/media/disk/v");
    }
}
