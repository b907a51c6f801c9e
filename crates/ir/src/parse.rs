//! The one parser: reads what the printer prints, for the ops it is given.

use diag::{Diag, codes, suggest};
use sym::{Expr, Facts};

use crate::{
    Arg, Attr, Builder, DType, Function, Number, OpRef, Output, OutputKind, Param, ParamKind,
    Result, ResultCount, TensorType, Type, ValueId, lex::Cursor,
};

/// Nesting of regions, lists and types beyond which a text is refused.
const MAX_DEPTH: usize = 64;

/// Reads a module: functions one after the other. `name` is what diagnostics call the text.
pub fn parse_module(name: &str, text: &str, ops: &[OpRef]) -> Result<Vec<Function>> {
    let mut cursor = Cursor::new(name, text);
    let mut res = Vec::new();
    while !cursor.is_at_end() {
        res.push(function(&mut cursor, ops)?);
    }
    Ok(res)
}

/// Reads a text that holds one function.
pub fn parse_function(name: &str, text: &str, ops: &[OpRef]) -> Result<Function> {
    let mut all = parse_module(name, text, ops)?;
    match (all.pop(), all.len()) {
        (Some(it), 0) => Ok(it),
        _ => Err(Diag::error(&codes::PARSE, format!("{name} does not hold exactly one function"))),
    }
}

struct Parser<'c, 'a, 'f> {
    cursor: &'c mut Cursor<'a>,
    ops: &'c [OpRef],
    builder: Builder<'f>,
    /// What the text calls each value, in order: the texts of people need not be numbered from 0.
    names: Vec<(usize, ValueId)>,
    depth: usize,
}

fn function(cursor: &mut Cursor<'_>, ops: &[OpRef]) -> Result<Function> {
    cursor.expect("func")?;
    cursor.expect("@")?;
    let name = cursor.word().to_owned();
    cursor.expect("{")?;
    let mut facts = Facts::default();
    while ["symbol ", "note ", "assume "].iter().any(|it| cursor.peek(it)) {
        let (from, line) = cursor.until(&['\n']);
        facts.add_statement(line).map_err(|it| cursor.error(from, it.message))?;
    }
    let mut parser =
        Parser { cursor, ops, builder: Builder::new(&facts), names: Vec::new(), depth: 0 };
    let mut params = Vec::new();
    let mut outputs = Vec::new();
    let mut yields = Vec::new();
    loop {
        if parser.cursor.eat("}") {
            break;
        }
        if parser.cursor.is_at_end() {
            return Err(parser.cursor.error(parser.cursor.at, "a function has no end"));
        }
        if parser.cursor.eat_word("output") {
            let (output, value) = parser.output()?;
            outputs.push(output);
            yields.push(value);
        } else {
            parser.op(Some(&mut params))?;
        }
    }
    let body = parser.builder.finish(yields);
    Ok(Function { name, facts, params, outputs, body })
}

impl<'a> Parser<'_, 'a, '_> {
    fn nested<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == MAX_DEPTH {
            return Err(self.cursor.error(self.cursor.at, "nested too deeply"));
        }
        self.depth += 1;
        let res = f(self);
        self.depth -= 1;
        res
    }

    fn name(&mut self) -> Result<usize> {
        self.cursor.expect("%")?;
        self.cursor.number()
    }

    fn value(&mut self) -> Result<ValueId> {
        self.cursor.skip();
        let from = self.cursor.at;
        let name = self.name()?;
        let found = self.names.iter().rev().find(|it| it.0 == name);
        found
            .map(|it| it.1)
            .ok_or_else(|| self.cursor.error(from, format!("%{name} is not defined")))
    }

    fn output(&mut self) -> Result<(Output, ValueId)> {
        let from = self.cursor.at;
        let word = self.cursor.word();
        let index = |cursor: &mut Cursor<'_>| -> Result<usize> {
            cursor.expect("(")?;
            let res = cursor.number()?;
            cursor.expect(")")?;
            Ok(res)
        };
        let alias = |cursor: &mut Cursor<'_>| -> Result<(usize, Expr)> {
            cursor.expect("(")?;
            let index = cursor.number()?;
            let offset = if cursor.eat(",") { cursor.expr(&[')'])? } else { Expr::int(0) };
            cursor.expect(")")?;
            Ok((index, offset))
        };
        let kind = match word {
            "user" => OutputKind::User,
            "mutates" => OutputKind::Mutates(index(self.cursor)?),
            "aliases_param" => {
                let (index, offset) = alias(self.cursor)?;
                OutputKind::AliasesParam(index, offset)
            }
            "aliases_output" => {
                let (index, offset) = alias(self.cursor)?;
                OutputKind::AliasesOutput(index, offset)
            }
            "result" => OutputKind::Result,
            it => {
                return Err(self.cursor.error(from, format!("no kind of output is called `{it}`")));
            }
        };
        let name = self.cursor.string()?;
        let value = self.value()?;
        self.cursor.expect(":")?;
        let ty = self.ty()?;
        Ok((Output { name, kind, ty }, value))
    }

    /// One op, or where `params` is given a parameter of the function.
    fn op(&mut self, params: Option<&mut Vec<Param>>) -> Result<()> {
        self.cursor.skip();
        let start = self.cursor.at;
        let mut names = Vec::new();
        if self.cursor.peek("%") {
            loop {
                names.push(self.name()?);
                if !self.cursor.eat(",") {
                    break;
                }
            }
            self.cursor.expect("=")?;
        }
        self.cursor.skip();
        let from = self.cursor.at;
        let word = self.cursor.word();
        if let ("param", Some(params)) = (word, params) {
            return self.function_param(&names, params);
        }
        let Some(def) = self.ops.iter().copied().find(|it| it.0.name == word) else {
            let close = suggest(word, self.ops.iter().map(|it| it.0.name));
            let hint = close.map_or(String::new(), |it| format!("; did you mean `{it}`?"));
            return Err(self.cursor.error(from, format!("unknown op `{word}`{hint}")));
        };
        let mut args = Vec::new();
        for i in 0..def.0.operands.len() {
            if i != 0 {
                self.cursor.expect(",")?;
            }
            args.push(self.arg()?);
        }
        let attrs = self.attrs(def)?;
        let mut stated = Vec::new();
        if self.cursor.eat(":") {
            loop {
                stated.push(self.ty()?);
                if !self.cursor.eat(",") {
                    break;
                }
            }
        }
        while self.cursor.eat("{") {
            self.nested(Self::region)?;
        }
        let given = match def.0.results {
            ResultCount::Stated => Some(stated.clone()),
            ResultCount::Inferred => None,
        };
        let results = self.builder.push_stated(def, args, attrs, given).map_err(|mut it| {
            it.places.extend(self.cursor.error(start, "").places);
            it
        })?;
        if results.len() != names.len() || results.len() != stated.len() {
            return Err(self.cursor.error(
                start,
                format!("`{word}` has {} results, {} are named", results.len(), names.len()),
            ));
        }
        for ((value, name), written) in results.iter().zip(names).zip(&stated) {
            let inferred = self.builder.ty(*value);
            if inferred != written {
                return Err(self
                    .cursor
                    .error(start, format!("`{word}` gives {inferred}, the text says {written}")));
            }
            self.names.push((name, *value));
        }
        Ok(())
    }

    fn function_param(&mut self, names: &[usize], params: &mut Vec<Param>) -> Result<()> {
        let from = self.cursor.at;
        let word = self.cursor.word();
        let Some(kind) = ParamKind::parse(word) else {
            return Err(self
                .cursor
                .error(from, format!("no kind of parameter is called `{word}`")));
        };
        let name = self.cursor.string()?;
        self.cursor.expect(":")?;
        let ty = self.ty()?;
        let [number] = *names else {
            return Err(self.cursor.error(from, "a parameter has one name"));
        };
        if !self.builder.current_ops().is_empty() {
            return Err(self.cursor.error(from, "parameters come before ops"));
        }
        let value = self.builder.param(ty);
        self.names.push((number, value));
        params.push(Param { name, kind });
        Ok(())
    }

    fn region(&mut self) -> Result<()> {
        let outside = self.names.len();
        self.builder.begin_region();
        if self.cursor.eat("^") {
            loop {
                let name = self.name()?;
                self.cursor.expect(":")?;
                let ty = self.ty()?;
                let value = self.builder.param(ty);
                self.names.push((name, value));
                if !self.cursor.eat(",") {
                    break;
                }
            }
        }
        let mut yields = Vec::new();
        loop {
            if self.cursor.eat("}") {
                break;
            }
            if self.cursor.is_at_end() {
                return Err(self.cursor.error(self.cursor.at, "a region has no end"));
            }
            match self.cursor.eat_word("yield") {
                true => loop {
                    yields.push(self.value()?);
                    if !self.cursor.eat(",") {
                        break;
                    }
                },
                false => self.op(None)?,
            }
        }
        self.builder.end_region(yields);
        self.names.truncate(outside);
        Ok(())
    }

    fn arg(&mut self) -> Result<Arg> {
        if self.cursor.eat("_") {
            return Ok(Arg::None);
        }
        if !self.cursor.eat("[") {
            return self.value().map(Arg::Value);
        }
        let mut res = Vec::new();
        if self.cursor.eat("]") {
            return Ok(Arg::List(res));
        }
        loop {
            res.push(match self.cursor.eat("_") {
                true => None,
                false => Some(self.value()?),
            });
            if self.cursor.eat("]") {
                return Ok(Arg::List(res));
            }
            self.cursor.expect(",")?;
        }
    }

    fn attrs(&mut self, def: OpRef) -> Result<Vec<Attr>> {
        let mut res = vec![Attr::None; def.0.attrs.len()];
        if def.0.attrs.is_empty() || !self.cursor.eat("{") {
            return Ok(res);
        }
        loop {
            self.cursor.skip();
            let from = self.cursor.at;
            let name = self.cursor.word();
            let Some(i) = def.0.attrs.iter().position(|it| it.name == name) else {
                let message = format!("`{}` has no attribute `{name}`", def.0.name);
                return Err(self.cursor.error(from, message));
            };
            self.cursor.expect("=")?;
            res[i] = self.attr()?;
            if self.cursor.eat("}") {
                return Ok(res);
            }
            self.cursor.expect(",")?;
        }
    }

    fn attr(&mut self) -> Result<Attr> {
        self.cursor.skip();
        if self.cursor.peek("\"") {
            return self.cursor.string().map(Attr::Str);
        }
        if self.cursor.eat("@") {
            return self.cursor.string().map(Attr::Ref);
        }
        if self.cursor.eat("!") {
            let from = self.cursor.at;
            let word = self.cursor.word();
            let dtype = DType::parse(word);
            return dtype
                .map(Attr::DType)
                .ok_or_else(|| self.cursor.error(from, format!("no dtype is called `{word}`")));
        }
        if self.cursor.eat("type(") {
            let ty = self.ty()?;
            self.cursor.expect(")")?;
            return Ok(Attr::Type(ty));
        }
        if self.cursor.eat("[") {
            return self.nested(|it| {
                let mut res = Vec::new();
                if it.cursor.eat("]") {
                    return Ok(Attr::List(res));
                }
                loop {
                    res.push(it.attr()?);
                    if it.cursor.eat("]") {
                        return Ok(Attr::List(res));
                    }
                    it.cursor.expect(",")?;
                }
            });
        }
        for (word, attr) in
            [("true", Attr::Bool(true)), ("false", Attr::Bool(false)), ("none", Attr::None)]
        {
            if self.cursor.eat_word(word) {
                return Ok(attr);
            }
        }
        if self.cursor.eat("complex(") {
            let re = self.float(&[','])?;
            self.cursor.expect(",")?;
            let im = self.float(&[')'])?;
            self.cursor.expect(")")?;
            return Ok(Attr::Number(Number::Complex(re, im)));
        }
        let start = self.cursor.at;
        let (_, text) = self.cursor.until(&[',', ']', '}']);
        if let Some(it) = float_literal(text) {
            return Ok(Attr::Number(Number::Float(it)));
        }
        self.cursor.at = start;
        self.cursor.expr(&[',', ']', '}']).map(Attr::Size)
    }

    fn float(&mut self, ends: &[char]) -> Result<f64> {
        let (from, text) = self.cursor.until(ends);
        float_literal(text).ok_or_else(|| self.cursor.error(from, format!("bad float `{text}`")))
    }

    fn ty(&mut self) -> Result<Type> {
        if self.cursor.eat("(") {
            return self.nested(|it| {
                let mut res = Vec::new();
                if it.cursor.eat(")") {
                    return Ok(Type::List(res.into()));
                }
                loop {
                    res.push(it.ty()?);
                    if it.cursor.eat(")") {
                        return Ok(Type::List(res.into()));
                    }
                    it.cursor.expect(",")?;
                }
            });
        }
        self.cursor.skip();
        let from = self.cursor.at;
        let dtype = match self.cursor.word() {
            "arena" => return Ok(Type::Arena),
            "none" => return Ok(Type::None),
            word => DType::parse(word)
                .ok_or_else(|| self.cursor.error(from, format!("no type is called `{word}`")))?,
        };
        // No white space before the bracket: `f32 {` opens a region.
        if !self.cursor.rest().starts_with('[') {
            return Ok(Type::Scalar(dtype));
        }
        self.cursor.expect("[")?;
        let shape = self.cursor.list("]", |it| it.expr(&[',', ']']))?;
        let strides = match self.cursor.rest().starts_with('<') {
            false => None,
            true => {
                self.cursor.expect("<")?;
                let strides = self.cursor.list(">", |it| it.expr(&[',', '>']))?;
                if strides.len() != shape.len() {
                    return Err(self.cursor.error(from, "as many strides as sizes are needed"));
                }
                Some(strides.into())
            }
        };
        Ok(Type::Tensor(TensorType { dtype, shape: shape.into(), strides }))
    }
}

/// A float as the printer writes it: with a point, an exponent, or one of the words.
fn float_literal(text: &str) -> Option<f64> {
    if let Some(bits) = text.strip_prefix("nan:0x") {
        return u64::from_str_radix(bits, 16).ok().map(f64::from_bits);
    }
    match text {
        "nan" => Some(f64::NAN),
        "inf" => Some(f64::INFINITY),
        "-inf" => Some(f64::NEG_INFINITY),
        _ => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let looks = digits.starts_with(|it: char| it.is_ascii_digit())
                && digits.contains(['.', 'e', 'E']);
            looks.then(|| text.parse().ok()).flatten()
        }
    }
}
