//! What a model takes and gives, as JSON beside the library.
//!
//! PyTorch does not read it; it is for people and tools that want to know
//! without loading anything.

use serde_json::{Map, Value, json};

use crate::Error;

/// A size symbol and its range; no `max` where it is unbounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// "s0", or the name the model's author gave it.
    pub name: String,
    /// The least value.
    pub min: i64,
    /// The greatest value.
    pub max: Option<i64>,
}

/// An input or an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// "float32".
    pub dtype: String,
    /// One text per dimension: "3", "B", "2*B".
    pub dims: Vec<String>,
}

/// A model's inputs and outputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// What built it: "tintype 0.1.0".
    pub producer: String,
    /// The target CPU it was built for.
    pub target_cpu: String,
    /// The symbols that the dimensions speak of.
    pub symbols: Vec<Symbol>,
    /// In the order of the call.
    pub inputs: Vec<TensorInfo>,
    /// In the order of the results.
    pub outputs: Vec<TensorInfo>,
}

impl Signature {
    /// As JSON, indented.
    pub fn to_json(&self) -> String {
        let Signature { producer, target_cpu, symbols, inputs, outputs } = self;
        let tensors = |infos: &[TensorInfo]| -> Vec<Value> {
            infos
                .iter()
                .map(|TensorInfo { name, dtype, dims }| {
                    json!({ "name": name, "dtype": dtype, "dims": dims })
                })
                .collect()
        };
        let symbols: Vec<Value> = symbols
            .iter()
            .map(|Symbol { name, min, max }| json!({ "name": name, "min": min, "max": max }))
            .collect();
        let value = json!({
            "version": 1,
            "producer": producer,
            "target_cpu": target_cpu,
            "symbols": symbols,
            "inputs": tensors(inputs),
            "outputs": tensors(outputs),
        });
        format!("{value:#}\n")
    }

    /// From JSON; keys it does not know are ignored.
    pub fn from_json(text: &[u8]) -> Result<Signature, Error> {
        let bad = |reason: String| Error::Signature { reason };
        let value: Value = serde_json::from_slice(text).map_err(|it| bad(it.to_string()))?;
        let root = value.as_object().ok_or_else(|| bad("not an object".to_string()))?;
        match root.get("version").and_then(Value::as_u64) {
            Some(1) => {}
            Some(version) => return Err(bad(format!("version {version} is newer than this"))),
            None => return Err(bad("has no version".to_string())),
        }
        let symbols = objects(root, "symbols")?
            .map(|it| {
                let it = it?;
                let min = it.get("min").and_then(Value::as_i64);
                Ok(Symbol {
                    name: string(it, "name")?,
                    min: min.ok_or_else(|| bad("a symbol without 'min'".to_string()))?,
                    max: it.get("max").and_then(Value::as_i64),
                })
            })
            .collect::<Result<_, Error>>()?;
        Ok(Signature {
            producer: string(root, "producer")?,
            target_cpu: string(root, "target_cpu")?,
            symbols,
            inputs: tensors(root, "inputs")?,
            outputs: tensors(root, "outputs")?,
        })
    }
}

fn string(object: &Map<String, Value>, key: &str) -> Result<String, Error> {
    let text = object.get(key).and_then(Value::as_str);
    text.map(str::to_string)
        .ok_or_else(|| Error::Signature { reason: format!("'{key}' is not a string") })
}

fn objects<'a>(
    object: &'a Map<String, Value>,
    key: &'a str,
) -> Result<impl Iterator<Item = Result<&'a Map<String, Value>, Error>>, Error> {
    let bad = move |what: &str| Error::Signature { reason: format!("'{key}' {what}") };
    let items = object.get(key).and_then(Value::as_array);
    let items = items.ok_or_else(|| bad("is not a list"))?;
    Ok(items.iter().map(move |it| it.as_object().ok_or_else(|| bad("holds no objects"))))
}

fn tensors(object: &Map<String, Value>, key: &str) -> Result<Vec<TensorInfo>, Error> {
    objects(object, key)?
        .map(|it| {
            let it = it?;
            let dims = it.get("dims").and_then(Value::as_array).map(Vec::as_slice);
            let dims = dims.unwrap_or_default().iter();
            Ok(TensorInfo {
                name: string(it, "name")?,
                dtype: string(it, "dtype")?,
                dims: dims.filter_map(Value::as_str).map(str::to_string).collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let tensor = |name: &str, dims: &[&str]| TensorInfo {
            name: name.to_string(),
            dtype: "float32".to_string(),
            dims: dims.iter().map(|it| it.to_string()).collect(),
        };
        let signature = Signature {
            producer: "tintype \"0\"".to_string(),
            target_cpu: "native".to_string(),
            symbols: vec![
                Symbol { name: "B".to_string(), min: 2, max: Some(1024) },
                Symbol { name: "T".to_string(), min: 0, max: None },
            ],
            inputs: vec![tensor("x", &["B", "3"]), tensor("s", &[])],
            outputs: vec![tensor("out", &["2*B"])],
        };
        let json = signature.to_json();
        assert_eq!(Signature::from_json(json.as_bytes()).unwrap(), signature);
        assert_eq!(json, signature.to_json());
    }

    #[test]
    fn what_is_not_a_signature_is_an_error() {
        for text in [
            "",
            "[]",
            "{}",
            "{\"version\":2}",
            "{\"version\":1}",
            "{\"version\":1,\"producer\":\"\",\"target_cpu\":\"\",\"symbols\":[1],\
             \"inputs\":[],\"outputs\":[]}",
            "{\"version\":1,\"producer\":\"\",\"target_cpu\":\"\",\"symbols\":[{}],\
             \"inputs\":[],\"outputs\":[]}",
        ] {
            assert!(Signature::from_json(text.as_bytes()).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(Signature::from_json(deep.as_bytes()).is_err());
    }
}
