//! The stack machine. Opcodes are those of protocols 2 to 5, as CPython's `pickletools` lists
//! them, less those that only make what is not read anyway.

use std::collections::BTreeMap;

use super::{Global, Pickle, PickledStorage, PickledTensor, VALUES_LIMIT, Value, ValueId, globals};
use crate::{ImportError, ScalarType};

pub(super) struct Machine<'a> {
    member: &'a str,
    bytes: &'a [u8],
    /// The next byte.
    at: usize,
    /// The opcode that is being run.
    opcode_at: usize,
    values: Vec<Value>,
    stack: Vec<ValueId>,
    /// Heights of the stack.
    marks: Vec<usize>,
    // A map and not a vector: the index is the sender's to choose.
    memo: BTreeMap<u32, ValueId>,
}

type Step<T = ()> = Result<T, ImportError>;

impl<'a> Machine<'a> {
    pub(super) fn new(member: &'a str, bytes: &'a [u8]) -> Machine<'a> {
        Machine {
            member,
            bytes,
            at: 0,
            opcode_at: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: BTreeMap::new(),
        }
    }

    pub(super) fn run(mut self) -> Step<Pickle> {
        loop {
            self.opcode_at = self.at;
            let [opcode] = self.take_array()?;
            if opcode == b'.' {
                let root = self.pop()?;
                return Ok(Pickle { values: self.values, root });
            }
            self.step(opcode)?;
        }
    }

    fn step(&mut self, opcode: u8) -> Step {
        match opcode {
            // PROTO, FRAME
            0x80 => self.protocol(),
            0x95 => self.take(8).map(drop),
            // MARK, POP, POP_MARK, DUP
            b'(' => {
                self.marks.push(self.stack.len());
                self.bounded(self.marks.len())
            }
            b'0' => self.pop_or_unmark(),
            b'1' => self.pop_mark().map(drop),
            b'2' => {
                let top = self.top()?;
                self.push_id(top)
            }
            // NONE, NEWTRUE, NEWFALSE
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'K' | b'M' | b'J' | 0x8a | 0x8b | b'G' => self.number(opcode),
            0x8c | b'X' | 0x8d | b'C' | b'B' | 0x8e => self.text(opcode),
            b')' | b't' | 0x85..=0x87 | b']' | b'l' | b'}' | b'd' => self.container(opcode),
            b'a' | b'e' | b's' | b'u' => self.fill(opcode),
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.memo(opcode),
            b'c' | 0x93 => self.global(opcode),
            b'Q' => self.persistent_id(),
            // REDUCE, BUILD
            b'R' => self.reduce(),
            b'b' => self.build(),
            _ => Err(self.error(format!("opcode {opcode:#04x} is not read"))),
        }
    }

    fn protocol(&mut self) -> Step {
        match self.take_array()? {
            [2..=5] => Ok(()),
            [other] => Err(self.error(format!("protocol {other} is not read, only 2 to 5"))),
        }
    }

    /// POP also takes away a mark that is on top.
    fn pop_or_unmark(&mut self) -> Step {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }

    fn number(&mut self, opcode: u8) -> Step {
        let value = match opcode {
            // BININT1, BININT2, BININT
            b'K' => Value::Int(u8::from_le_bytes(self.take_array()?).into()),
            b'M' => Value::Int(u16::from_le_bytes(self.take_array()?).into()),
            b'J' => Value::Int(i32::from_le_bytes(self.take_array()?).into()),
            // BINFLOAT, the only big-endian one
            b'G' => Value::Float(f64::from_be_bytes(self.take_array()?)),
            // LONG1, LONG4: little-endian two's complement of any length
            _ => {
                let len = match opcode {
                    0x8a => usize::from(u8::from_le_bytes(self.take_array()?)),
                    _ => u32::from_le_bytes(self.take_array()?) as usize,
                };
                let bytes = self.take(len)?;
                let negative = bytes.last().is_some_and(|&top| 0x80 <= top);
                let mut wide = [if negative { 0xff } else { 0 }; 8];
                match wide.get_mut(..len) {
                    Some(low) => low.copy_from_slice(bytes),
                    None => return Err(self.error("an integer has more than 64 bits")),
                }
                Value::Int(i64::from_le_bytes(wide))
            }
        };
        self.push(value)
    }

    fn text(&mut self, opcode: u8) -> Step {
        let len = match opcode {
            // SHORT_BINUNICODE, SHORT_BINBYTES
            0x8c | b'C' => u8::from_le_bytes(self.take_array()?).into(),
            // BINUNICODE, BINBYTES
            b'X' | b'B' => u32::from_le_bytes(self.take_array()?).into(),
            // BINUNICODE8, BINBYTES8
            _ => u64::from_le_bytes(self.take_array()?),
        };
        let bytes = self.take(usize::try_from(len).unwrap_or(usize::MAX))?;
        let value = match opcode {
            b'C' | b'B' | 0x8e => Value::Bytes(bytes.into()),
            _ => match str::from_utf8(bytes) {
                Ok(text) => Value::Str(text.into()),
                Err(_) => return Err(self.error("a string is not UTF-8")),
            },
        };
        self.push(value)
    }

    fn container(&mut self, opcode: u8) -> Step {
        let value = match opcode {
            // EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE
            b')' => Value::Tuple(Box::default()),
            0x85 => Value::Tuple([self.pop()?].into()),
            0x86 => {
                let second = self.pop()?;
                Value::Tuple([self.pop()?, second].into())
            }
            0x87 => {
                let (third, second) = (self.pop()?, self.pop()?);
                Value::Tuple([self.pop()?, second, third].into())
            }
            b't' => Value::Tuple(self.pop_mark()?.into()),
            // EMPTY_LIST, LIST
            b']' => Value::List(Vec::new()),
            b'l' => Value::List(self.pop_mark()?),
            // EMPTY_DICT, DICT
            b'}' => Value::Dict(Vec::new()),
            _ => {
                let items = self.pop_mark()?;
                Value::Dict(self.pairs(&items)?)
            }
        };
        self.push(value)
    }

    /// APPEND, APPENDS, SETITEM, SETITEMS
    fn fill(&mut self, opcode: u8) -> Step {
        let items = match opcode {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_mark()?,
        };
        let target = self.top()?;
        if matches!(opcode, b's' | b'u') {
            let pairs = self.pairs(&items)?;
            if let Some(Value::Dict(known)) = self.values.get_mut(target.0 as usize) {
                known.extend(pairs);
                return Ok(());
            }
        } else if let Some(Value::List(known)) = self.values.get_mut(target.0 as usize) {
            known.extend(items);
            return Ok(());
        }
        Err(self.error("items are added to what is not a list or dict"))
    }

    fn memo(&mut self, opcode: u8) -> Step {
        match opcode {
            // BINGET, LONG_BINGET
            b'h' | b'j' => {
                let key = match opcode {
                    b'h' => u8::from_le_bytes(self.take_array()?).into(),
                    _ => u32::from_le_bytes(self.take_array()?),
                };
                match self.memo.get(&key) {
                    Some(&id) => self.push_id(id),
                    None => Err(self.error(format!("nothing was remembered as {key}"))),
                }
            }
            // BINPUT, LONG_BINPUT, MEMOIZE
            _ => {
                let key = match opcode {
                    b'q' => u8::from_le_bytes(self.take_array()?).into(),
                    b'r' => u32::from_le_bytes(self.take_array()?),
                    _ => u32::try_from(self.memo.len()).unwrap_or(u32::MAX),
                };
                let top = self.top()?;
                self.memo.insert(key, top);
                self.bounded(self.memo.len())
            }
        }
    }

    /// GLOBAL has its names in the text, STACK_GLOBAL on the stack.
    fn global(&mut self, opcode: u8) -> Step {
        let (module, name) = if opcode == b'c' {
            (self.take_line()?.to_owned(), self.take_line()?.to_owned())
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            match (self.value(module), self.value(name)) {
                (Value::Str(module), Value::Str(name)) => (module.to_string(), name.to_string()),
                _ => return Err(self.error("a global's name is not text")),
            }
        };
        match globals::Global::find(&module, &name) {
            Some(Global::DType(dtype)) => self.push(Value::DType(dtype)),
            Some(global) => self.push(Value::Global(global)),
            None => Err(ImportError::PickleGlobal {
                member: self.member.into(),
                global: format!("{module}.{name}"),
            }),
        }
    }

    /// `('storage', class, key, location, length)`: the only persistent id of torch.save.
    fn persistent_id(&mut self) -> Step {
        let id = self.pop()?;
        let Value::Tuple(parts) = self.value(id) else {
            return Err(self.error("a persistent id is not a tuple"));
        };
        let &[kind, class, key, _, len] = &**parts else {
            return Err(self.error("a persistent id is not a storage"));
        };
        match (self.value(kind), self.value(class), self.value(key), self.value(len)) {
            (
                Value::Str(kind),
                &Value::Global(Global::Storage(dtype)),
                Value::Str(_),
                &Value::Int(len),
            ) if &**kind == "storage" => {
                self.push(Value::Storage(PickledStorage { key, dtype, len }))
            }
            _ => Err(self.error("a persistent id is not a storage")),
        }
    }

    fn reduce(&mut self) -> Step {
        let (args, callee) = (self.pop()?, self.pop()?);
        let (&Value::Global(callee), Value::Tuple(args)) = (self.value(callee), self.value(args))
        else {
            return Err(self.error("a call is not of a function on a tuple"));
        };
        let made = match (callee, &**args) {
            (Global::OrderedDict, []) => Some(Value::Dict(Vec::new())),
            // The same tuple, not a copy: copies of a long one would add up.
            (Global::Size, &[sizes]) if matches!(self.value(sizes), Value::Tuple(_)) => {
                return self.push_id(sizes);
            }
            (Global::Device, &[kind] | &[kind, _]) if matches!(self.value(kind), Value::Str(_)) => {
                Some(Value::Device)
            }
            (Global::RebuildTensorV2, args) => self.tensor_v2(args),
            (Global::RebuildTensorV3, args) => self.tensor_v3(args),
            (Global::RebuildParameter, &[tensor, grad, _])
            | (Global::RebuildParameterWithState, &[tensor, grad, _, _]) => {
                self.parameter(tensor, grad)
            }
            _ => None,
        };
        match made {
            Some(value) => self.push(value),
            None => Err(self.error(format!("a call of {callee:?} has arguments that do not fit"))),
        }
    }

    fn parameter(&self, tensor: ValueId, grad: ValueId) -> Option<Value> {
        let Value::Tensor(tensor) = self.value(tensor) else { return None };
        let requires_grad = self.is_true(grad);
        Some(Value::Tensor(Box::new(PickledTensor { parameter: true, requires_grad, ..**tensor })))
    }

    /// `(storage, offset, sizes, strides, requires_grad, hooks[, metadata])`
    fn tensor_v2(&self, args: &[ValueId]) -> Option<Value> {
        let (view, rest) = args.split_first_chunk()?;
        let plain = rest.len() <= 2 && rest.iter().all(|&it| self.is_empty(it));
        plain.then(|| self.tensor(view, None))?
    }

    /// `(storage, offset, sizes, strides, requires_grad, hooks, dtype[, metadata])`
    fn tensor_v3(&self, args: &[ValueId]) -> Option<Value> {
        let (view, rest) = args.split_first_chunk()?;
        let (&[hooks, dtype], metadata) = rest.split_first_chunk()?;
        let &Value::DType(dtype) = self.value(dtype) else { return None };
        let plain = metadata.len() <= 1 && metadata.iter().all(|&it| self.is_empty(it));
        (plain && self.is_empty(hooks)).then(|| self.tensor(view, Some(dtype)))?
    }

    /// Hooks would run code, and metadata mark a conjugate or a negation: neither is read.
    fn is_empty(&self, id: ValueId) -> bool {
        match self.value(id) {
            Value::None => true,
            Value::Dict(pairs) => {
                // As many marks as there are, and some; each call looks at them again.
                pairs.len() < 8
                    && pairs.iter().all(|&(_, it)| *self.value(it) == Value::Bool(false))
            }
            _ => false,
        }
    }

    fn tensor(&self, view: &[ValueId; 5], dtype: Option<ScalarType>) -> Option<Value> {
        let &[storage, offset, sizes, strides, grad] = view;
        match (self.value(storage), self.value(offset)) {
            (&Value::Storage(storage), &Value::Int(offset)) => {
                Some(Value::Tensor(Box::new(PickledTensor {
                    storage,
                    dtype: dtype.or(storage.dtype)?,
                    offset,
                    sizes,
                    strides,
                    requires_grad: self.is_true(grad),
                    parameter: false,
                })))
            }
            _ => None,
        }
    }

    fn is_true(&self, id: ValueId) -> bool {
        *self.value(id) == Value::Bool(true)
    }

    /// BUILD gives an object its attributes. Those of dicts and tensors carry no values.
    fn build(&mut self) -> Step {
        self.pop()?;
        let target = self.top()?;
        match self.value(target) {
            Value::Dict(_) | Value::Tensor(_) => Ok(()),
            _ => Err(self.error("attributes are given to what has none")),
        }
    }

    fn pairs(&self, items: &[ValueId]) -> Step<Vec<(ValueId, ValueId)>> {
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.error("a dict has a key without a value"));
        }
        Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
    }

    fn value(&self, id: ValueId) -> &Value {
        self.values.get(id.0 as usize).unwrap_or(&Value::None)
    }

    fn push(&mut self, value: Value) -> Step {
        self.bounded(self.values.len())?;
        let id = ValueId(u32::try_from(self.values.len()).unwrap_or(u32::MAX));
        self.values.push(value);
        self.push_id(id)
    }

    fn push_id(&mut self, id: ValueId) -> Step {
        self.stack.push(id);
        self.bounded(self.stack.len())
    }

    fn bounded(&self, count: usize) -> Step {
        if count < VALUES_LIMIT { Ok(()) } else { Err(self.error("it has too many values")) }
    }

    /// The top of the stack, above the last mark.
    fn top(&self) -> Step<ValueId> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(&id) if floor < self.stack.len() => Ok(id),
            _ => Err(self.error("the stack is empty")),
        }
    }

    fn pop(&mut self) -> Step<ValueId> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// What lies above the last mark.
    fn pop_mark(&mut self) -> Step<Vec<ValueId>> {
        match self.marks.pop() {
            Some(height) if height <= self.stack.len() => Ok(self.stack.split_off(height)),
            _ => Err(self.error("there is no mark")),
        }
    }

    fn take(&mut self, len: usize) -> Step<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.get(..len) {
            Some(taken) => {
                self.at += len;
                Ok(taken)
            }
            None => Err(self.error("it ends early")),
        }
    }

    fn take_array<const N: usize>(&mut self) -> Step<[u8; N]> {
        match self.take(N)?.first_chunk() {
            Some(array) => Ok(*array),
            None => Err(self.error("it ends early")),
        }
    }

    fn take_line(&mut self) -> Step<&'a str> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(len) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(self.error("it ends early"));
        };
        let line = self.take(len)?;
        self.take(1)?;
        str::from_utf8(line).map_err(|_| self.error("a global's name is not UTF-8"))
    }

    fn error(&self, reason: impl Into<String>) -> ImportError {
        ImportError::Pickle {
            member: self.member.into(),
            at: self.opcode_at,
            reason: reason.into(),
        }
    }
}
