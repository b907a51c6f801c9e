//! Lists of passes as text: `fuse{max-ops=32}, cse`.
//!
//! ```text
//! steps := pass ("," pass)*
//! pass  := name ("{" key "=" value ("," key "=" value)* "}")?
//! ```
//! Options that stand at their default are not printed, so a list has one text.

use std::fmt;

use diag::{Diag, codes, suggest};

use crate::{Legality, OptionValue, PassDef, Scope};

/// One pass with its options.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The pass.
    pub pass: &'static PassDef,
    /// One value per declared option, in the order of declaration.
    values: Vec<OptionValue>,
}

impl Step {
    /// The pass as it is without options.
    pub fn new(pass: &'static PassDef) -> Step {
        Step { pass, values: pass.options.iter().map(|it| it.default.clone()).collect() }
    }

    /// The value of a declared option.
    pub fn option(&self, name: &str) -> Option<&OptionValue> {
        let i = self.pass.options.iter().position(|it| it.name == name)?;
        self.values.get(i)
    }

    /// Sets an option from text.
    pub fn set(&mut self, name: &str, value: &str) -> ir::Result<()> {
        let Step { pass, values } = self;
        let Some(i) = pass.options.iter().position(|it| it.name == name) else {
            let diag = Diag::error(
                &codes::PIPELINE,
                format!("pass `{}` has no option `{name}`", pass.name),
            );
            return Err(hint(diag, name, pass.options.iter().map(|it| it.name), "option"));
        };
        let default = &pass.options[i].default;
        values[i] = default.parse_like(value).ok_or_else(|| {
            let kind = default.kind();
            let message = format!("option `{name}` of `{}` is {kind}, not `{value}`", pass.name);
            Diag::error(&codes::PIPELINE, message)
        })?;
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pass.name)?;
        let mut open = false;
        for (def, value) in self.pass.options.iter().zip(&self.values) {
            if *value == def.default {
                continue;
            }
            write!(f, "{}{}={value}", if open { ", " } else { "{" }, def.name)?;
            open = true;
        }
        f.write_str(if open { "}" } else { "" })
    }
}

/// Notes what is close to a name that does not exist, or else what there is.
fn hint<'a>(
    diag: Diag,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    what: &str,
) -> Diag {
    match suggest(name, known.clone()) {
        Some(it) => diag.note(format!("did you mean `{it}`?")),
        None => match known.collect::<Vec<_>>() {
            it if it.is_empty() => diag.note(format!("there is no {what}")),
            it => diag.note(format!("there is: {}", it.join(", "))),
        },
    }
}

/// Reads a list of passes out of `known`.
pub fn parse_steps(text: &str, known: &[&'static PassDef]) -> ir::Result<Vec<Step>> {
    let mut res = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(['{', ',']).unwrap_or(rest.len());
        let name = rest[..end].trim();
        let Some(pass) = known.iter().copied().find(|it| it.name == name) else {
            let diag = Diag::error(&codes::PIPELINE, format!("no pass is called `{name}` here"));
            return Err(hint(diag, name, known.iter().map(|it| it.name), "pass"));
        };
        let mut step = Step::new(pass);
        rest = &rest[end..];
        if let Some(after) = rest.strip_prefix('{') {
            let Some((options, after)) = after.split_once('}') else {
                let message = format!("the options of `{name}` have no end");
                return Err(Diag::error(&codes::PIPELINE, message));
            };
            for option in options.split(',').map(str::trim).filter(|it| !it.is_empty()) {
                let Some((key, value)) = option.split_once('=') else {
                    let message = format!("`{option}` of `{name}` is not `name=value`");
                    return Err(Diag::error(&codes::PIPELINE, message));
                };
                step.set(key.trim(), value.trim())?;
            }
            rest = after.trim_start();
        }
        res.push(step);
        rest = match rest.strip_prefix(',') {
            Some(after) if after.trim().is_empty() => {
                return Err(Diag::error(&codes::PIPELINE, "a pass is missing after the last `,`"));
            }
            Some(after) => after.trim_start(),
            None if rest.is_empty() => rest,
            None => {
                let message = format!("expected `,` before `{rest}`");
                return Err(Diag::error(&codes::PIPELINE, message));
            }
        };
    }
    Ok(res)
}

/// Prints a list of passes so that [`parse_steps`] reads it back.
pub fn print_steps(steps: &[Step]) -> String {
    steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// How many of the steps, the first ones, take the whole program.
pub fn program_steps(steps: &[Step]) -> usize {
    steps.iter().take_while(|it| it.pass.scope == Scope::Program).count()
}

/// The passes that take the whole program after one that does not.
fn out_of_scope(steps: &[Step]) -> impl Iterator<Item = &'static PassDef> + '_ {
    let rest = steps[program_steps(steps)..].iter();
    rest.map(|it| it.pass).filter(|it| it.scope == Scope::Program)
}

/// Checks that each pass may be given what the steps before it leave, starting from `before`.
/// Gives what remains after the last, or one error per pass that is out of place.
pub fn check_order(steps: &[Step], before: Legality) -> Result<Legality, Vec<Diag>> {
    let mut legality = before;
    let mut diags = Vec::new();
    for pass in out_of_scope(steps) {
        let message = format!("`{}` comes too late: it takes the whole program", pass.name);
        let note = "such passes come first in their phase".to_owned();
        diags.push(Diag::error(&codes::PIPELINE, message).note(note));
    }
    for step in steps {
        let PassDef { name, requires, ensures, .. } = step.pass;
        if !legality.is_within(requires) {
            let message = format!("`{name}` comes too early: it takes {requires}");
            let note = format!("what comes before may leave {legality}");
            diags.push(Diag::error(&codes::PIPELINE, message).note(note));
        }
        legality = ensures.unwrap_or(legality);
    }
    if diags.is_empty() { Ok(legality) } else { Err(diags) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OptionDef, PassCx, Unit};

    fn same(unit: &Unit, _: &PassCx<'_>) -> Result<Unit, Vec<Diag>> {
        Ok(unit.clone())
    }

    static CSE: PassDef = PassDef::new("cse", "", "", same);
    static FUSE: PassDef = PassDef {
        options: &[
            OptionDef::int("max-ops", 64, "How many ops a kernel has at most."),
            OptionDef::flag("eager", false, "Fuses all it can."),
            OptionDef::text("order", "dfs", "In which order."),
        ],
        requires: Legality::only(&["tensor"]),
        ensures: Some(Legality::only(&["loops"])),
        ..PassDef::new("fuse", "", "", same)
    };
    static KNOWN: &[&PassDef] = &[&CSE, &FUSE];

    #[test]
    fn a_list_reads_back() {
        for text in ["", "cse", "cse, fuse{max-ops=32, order=bfs}, cse"] {
            let steps = parse_steps(text, KNOWN).unwrap();
            assert_eq!(print_steps(&steps), text);
        }
        let steps = parse_steps(" fuse { eager = true,max-ops=64 } ", KNOWN).unwrap();
        assert_eq!(print_steps(&steps), "fuse{eager=true}");
        assert_eq!(steps[0].option("max-ops"), Some(&OptionValue::Int(64)));
    }

    #[test]
    fn what_does_not_exist_is_named_with_what_does() {
        let check = |text: &str, message: &str, note: &str| {
            let diag = parse_steps(text, KNOWN).unwrap_err();
            assert_eq!((diag.message.as_str(), diag.notes.join("; ").as_str()), (message, note));
        };
        check("fuze", "no pass is called `fuze` here", "did you mean `fuse`?");
        check("tile", "no pass is called `tile` here", "there is: cse, fuse");
        check("cse{n=1}", "pass `cse` has no option `n`", "there is no option");
        check("fuse{maxops=1}", "pass `fuse` has no option `maxops`", "did you mean `max-ops`?");
        check("fuse{max-ops=x}", "option `max-ops` of `fuse` is a number, not `x`", "");
        check("fuse{max-ops}", "`max-ops` of `fuse` is not `name=value`", "");
        check("fuse{max-ops=1", "the options of `fuse` have no end", "");
        check("cse fuse", "no pass is called `cse fuse` here", "there is: cse, fuse");
        check("fuse{} cse", "expected `,` before `cse`", "");
        check("cse,", "a pass is missing after the last `,`", "");
        check("cse,,cse", "no pass is called `` here", "there is: cse, fuse");
    }

    #[test]
    fn what_takes_the_program_comes_first() {
        static INLINE: PassDef =
            PassDef { scope: Scope::Program, ..PassDef::new("inline", "", "", same) };
        let steps = parse_steps("inline, cse, inline", &[&INLINE, &CSE]).unwrap();
        assert_eq!(program_steps(&steps), 1);
        let diags = check_order(&steps, Legality::ANY).unwrap_err();
        assert_eq!(diags[0].message, "`inline` comes too late: it takes the whole program");
        assert_eq!(check_order(&steps[..2], Legality::ANY), Ok(Legality::ANY));
    }

    #[test]
    fn a_pass_out_of_place_is_rejected() {
        let steps = parse_steps("cse, fuse, fuse", KNOWN).unwrap();
        let diags = check_order(&steps, Legality::only(&["tensor"])).unwrap_err();
        assert_eq!(diags.len(), 1);
        assert_eq!(diags[0].message, "`fuse` comes too early: it takes tensor");
        let fine = check_order(&steps[..2], Legality::only(&["tensor"]));
        assert_eq!(fine, Ok(Legality::only(&["loops"])));
    }
}
