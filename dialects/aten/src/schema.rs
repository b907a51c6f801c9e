//! ATen schemas: one line of text, read into arguments, defaults, marks and returns.

use ir::{Attr, AttrKind, DType, Number, OperandKind};
use sym::Expr;

/// The type of an argument, less its being optional or a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArgTy {
    /// A tensor.
    Tensor,
    /// An integer, symbolic or not.
    Int,
    /// A float.
    Float,
    /// A Python number.
    Scalar,
    /// A bool.
    Bool,
    /// Text.
    Str,
    /// An element type.
    DType,
    /// A layout, device, memory format, generator or anything else.
    Other,
}

/// Which memory an argument or a return is, and whether the operator writes to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AliasMark {
    /// The name of the memory within the schema: `a` in `Tensor(a!)`.
    pub set: String,
    /// Whether it is written to.
    pub write: bool,
}

/// Where an argument lies in the op.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// The operand of that index.
    Operand(usize),
    /// The attribute of that index.
    Attr(usize),
}

/// An argument.
#[derive(Clone, PartialEq, Debug)]
pub struct SchemaArg {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: ArgTy,
    /// Whether it is a list.
    pub list: bool,
    /// The length that a single number given for a list stands for.
    pub list_len: Option<usize>,
    /// Whether the whole of it may be absent.
    pub optional: bool,
    /// Whether entries of the list may be absent.
    pub optional_entries: bool,
    /// What it is when it is not given.
    pub default: Option<Attr>,
    /// Its memory.
    pub alias: Option<AliasMark>,
    /// Where it lies in the op.
    pub slot: Slot,
}

/// A return.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchemaReturn {
    /// Whether it is a list of tensors.
    pub list: bool,
    /// Whether it is a tensor or a list of them.
    pub tensor: bool,
    /// Its memory.
    pub alias: Option<AliasMark>,
}

/// What a schema says.
#[derive(Clone, PartialEq, Debug)]
pub struct Schema {
    /// Name and overload: `add.Tensor`; an overload without a name is left out.
    pub name: String,
    /// The arguments in order.
    pub args: Vec<SchemaArg>,
    /// The returns in order.
    pub returns: Vec<SchemaReturn>,
}

impl Schema {
    /// The argument of that name.
    pub fn arg(&self, name: &str) -> Option<&SchemaArg> {
        self.args.iter().find(|it| it.name == name)
    }

    /// The name without the overload.
    pub fn base(&self) -> &str {
        self.name.split('.').next().unwrap_or(&self.name)
    }

    /// The overload; empty for the one without a name.
    pub fn overload(&self) -> &str {
        self.name.split_once('.').map_or("", |it| it.1)
    }

    /// The argument whose memory that return is.
    pub fn aliased(&self, index: usize) -> Option<&SchemaArg> {
        let mark = self.returns.get(index)?.alias.as_ref()?;
        self.args.iter().find(|it| it.alias.as_ref().is_some_and(|it| it.set == mark.set))
    }

    /// The arguments that are written to.
    pub fn written(&self) -> impl Iterator<Item = &SchemaArg> {
        self.args.iter().filter(|it| it.alias.as_ref().is_some_and(|it| it.write))
    }

    /// Whether a return is the memory of an argument that is not written: a view.
    pub fn is_view(&self) -> bool {
        self.written().next().is_none() && self.returns.iter().any(|it| it.alias.is_some())
    }

    /// Reads `name.overload(arguments) -> returns`; `None` where it is no schema.
    pub fn parse(line: &str) -> Option<Schema> {
        let (name, rest) = line.split_once('(')?;
        let close = closing(rest)?;
        let (args, rest) = rest.split_at(close);
        let returns = rest.strip_prefix(')')?.trim().strip_prefix("->")?.trim();
        let mut schema = Schema { name: name.to_owned(), args: Vec::new(), returns: Vec::new() };
        let (mut operands, mut attrs) = (0, 0);
        for text in split_top(args) {
            if text == "*" {
                continue;
            }
            let mut arg = parse_arg(text)?;
            let count = if arg.ty == ArgTy::Tensor { &mut operands } else { &mut attrs };
            arg.slot = match arg.ty {
                ArgTy::Tensor => Slot::Operand(*count),
                _ => Slot::Attr(*count),
            };
            *count += 1;
            schema.args.push(arg);
        }
        let inner = returns.strip_prefix('(').and_then(|it| it.strip_suffix(')'));
        for text in inner.map_or_else(|| vec![returns], split_top) {
            let (ty, alias) = take_alias(text.split(' ').next().unwrap_or(text))?;
            schema.returns.push(SchemaReturn {
                list: ty.ends_with("[]"),
                tensor: ty.starts_with("Tensor"),
                alias,
            });
        }
        Some(schema)
    }
}

impl SchemaArg {
    /// The kind of operand that it is.
    pub fn operand_kind(&self) -> OperandKind {
        match (self.list, self.optional_entries, self.optional) {
            (true, true, _) => OperandKind::ManyOptional,
            (true, false, _) => OperandKind::Many,
            (false, _, true) => OperandKind::Optional,
            (false, _, false) => OperandKind::One,
        }
    }

    /// The kind of attribute that it is.
    pub fn attr_kind(&self) -> AttrKind {
        match (self.ty, self.list) {
            (ArgTy::Int, false) => AttrKind::Size,
            (ArgTy::Int, true) => AttrKind::Sizes,
            (ArgTy::Float, false) => AttrKind::Float,
            (ArgTy::Float, true) => AttrKind::Floats,
            (ArgTy::Scalar, false) => AttrKind::Number,
            (ArgTy::Scalar, true) => AttrKind::Numbers,
            (ArgTy::Bool, false) => AttrKind::Bool,
            (ArgTy::Bool, true) => AttrKind::Bools,
            (ArgTy::Str, false) => AttrKind::Str,
            (ArgTy::Str, true) => AttrKind::Strs,
            (ArgTy::DType, false) => AttrKind::DType,
            (ArgTy::DType, true) | (ArgTy::Tensor | ArgTy::Other, _) => AttrKind::Any,
        }
    }
}

/// The index of the parenthesis that closes one opened before the text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return Some(i),
            ')' => depth -= 1,
            _ => (),
        }
    }
    None
}

/// The text cut at commas outside brackets.
fn split_top(text: &str) -> Vec<&str> {
    let (mut res, mut depth, mut start) = (Vec::new(), 0, 0);
    for (i, c) in text.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                res.push(text[start..i].trim());
                start = i + 1;
            }
            _ => (),
        }
    }
    let last = text[start..].trim();
    if !last.is_empty() {
        res.push(last);
    }
    res
}

/// A type without its alias mark, and the mark.
fn take_alias(ty: &str) -> Option<(String, Option<AliasMark>)> {
    let Some((before, rest)) = ty.split_once('(') else { return Some((ty.to_owned(), None)) };
    let (mark, after) = rest.split_once(')')?;
    let set = mark.split("->").next()?.trim();
    let write = set.contains('!');
    let set = set.trim_end_matches('!').to_owned();
    Some((format!("{before}{after}"), Some(AliasMark { set, write })))
}

fn parse_arg(text: &str) -> Option<SchemaArg> {
    let (declared, default) = match text.split_once('=') {
        Some((declared, default)) => (declared, Some(default)),
        None => (text, None),
    };
    let (ty, name) = declared.rsplit_once(' ')?;
    let (ty, alias) = take_alias(ty.trim())?;
    let (ty, optional) = match ty.strip_suffix('?') {
        Some(it) => (it, true),
        None => (ty.as_str(), false),
    };
    let (ty, list_len, list) = match ty.strip_suffix(']').and_then(|it| it.rsplit_once('[')) {
        Some((ty, len)) => (ty, len.parse().ok(), true),
        None => (ty, None, false),
    };
    let (ty, optional_entries) = match ty.strip_suffix('?') {
        Some(it) => (it, true),
        None => (ty, false),
    };
    let ty = match ty {
        "Tensor" => ArgTy::Tensor,
        "int" | "SymInt" => ArgTy::Int,
        "float" => ArgTy::Float,
        "Scalar" => ArgTy::Scalar,
        "bool" => ArgTy::Bool,
        "str" => ArgTy::Str,
        "ScalarType" => ArgTy::DType,
        _ => ArgTy::Other,
    };
    let mut arg = SchemaArg {
        name: name.to_owned(),
        ty,
        list,
        list_len,
        optional,
        optional_entries,
        default: None,
        alias,
        slot: Slot::Attr(0),
    };
    if let Some(default) = default {
        arg.default = Some(parse_default(&arg, default)?);
    }
    Some(arg)
}

fn parse_default(arg: &SchemaArg, text: &str) -> Option<Attr> {
    if text == "None" {
        return Some(Attr::None);
    }
    let one = |text: &str| parse_one(arg.ty, text);
    if !arg.list {
        return one(text);
    }
    match text.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(entries) => {
            Some(Attr::List(split_top(entries).into_iter().map(one).collect::<Option<_>>()?))
        }
        // One number for a list of a known length is repeated.
        None => Some(Attr::List(vec![one(text)?; arg.list_len.unwrap_or(1)])),
    }
}

fn parse_one(ty: ArgTy, text: &str) -> Option<Attr> {
    match text {
        "True" => return Some(Attr::Bool(true)),
        "False" => return Some(Attr::Bool(false)),
        _ => (),
    }
    if let Some(it) = text.strip_prefix('"').and_then(|it| it.strip_suffix('"')) {
        return Some(Attr::Str(it.to_owned()));
    }
    match ty {
        ArgTy::Float => text.parse().ok().map(|it| Attr::Number(Number::Float(it))),
        // The numbers of c10's enumeration; only this one is ever a default.
        ArgTy::DType if text == "4" => Some(Attr::DType(DType::I64)),
        ArgTy::Other if text == "0" => Some(Attr::Str("contiguous_format".to_owned())),
        _ => match text.parse() {
            Ok(it) => Some(Attr::Size(Expr::int(it))),
            Err(_) => text.parse().ok().map(|it| Attr::Number(Number::Float(it))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_lists_and_defaults_are_read() {
        let it = Schema::parse(
            "max_pool2d(Tensor(a!) self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, \
             bool ceil_mode=False, *, float? eps=1.0000000000000001e-05) -> (Tensor(a!), Tensor[])",
        )
        .unwrap();
        assert_eq!(it.args[0].alias, Some(AliasMark { set: "a".to_owned(), write: true }));
        assert_eq!(it.args[2].default, Some(Attr::List(Vec::new())));
        let zero = Attr::Size(Expr::int(0));
        assert_eq!(it.args[3].default, Some(Attr::List(vec![zero.clone(), zero])));
        assert_eq!(it.args[3].slot, Slot::Attr(2));
        assert_eq!(it.args[5].default, Some(Attr::Number(Number::Float(1e-5))));
        assert!(it.returns[1].list && it.returns[1].alias.is_none());
        assert_eq!(it.aliased(0).map(|it| it.name.as_str()), Some("self"));
    }

    #[test]
    fn optional_entries_are_told_from_optional_lists() {
        let it = Schema::parse("index(Tensor self, Tensor?[] indices, int[]? d=None) -> Tensor")
            .unwrap();
        assert_eq!(it.args[1].operand_kind(), OperandKind::ManyOptional);
        assert!(it.args[2].optional && it.args[2].list);
    }
}
