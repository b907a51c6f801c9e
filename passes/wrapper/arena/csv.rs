//! MiniMalloc's text form.

use super::{Item, check_items};

/// An item with its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// What the file calls it.
    pub id: String,
    /// Life and size.
    pub item: Item,
}

/// The most items that a text may have: what the heuristics can order in reasonable time.
const MOST: usize = 100_000;

/// Reads items. The first line names the columns: `id`, `lower`, `upper` and `size` in any order,
/// and perhaps `offset`, which is not read. An item lives from `lower` until before `upper`.
pub fn read_csv(text: &str) -> Result<Vec<Named>, String> {
    let mut lines = text.lines().enumerate().filter(|it| !it.1.trim().is_empty());
    let (_, header) = lines.next().ok_or("there is no line that names the columns")?;
    let names: Vec<&str> = header.split(',').map(str::trim).collect();
    let column = |name: &str| {
        let mut found = names.iter().enumerate().filter(|it| *it.1 == name);
        match (found.next(), found.next()) {
            (Some((i, _)), None) => Ok(i),
            (None, _) => Err(format!("line 1: no column is called {name}")),
            _ => Err(format!("line 1: two columns are called {name}")),
        }
    };
    let (id, lower, upper, size) =
        (column("id")?, column("lower")?, column("upper")?, column("size")?);
    if let Some(it) =
        names.iter().find(|it| !["id", "lower", "upper", "size", "offset"].contains(*it))
    {
        return Err(format!("line 1: column {it} is not one of id, lower, upper, size, offset"));
    }
    let mut res = Vec::new();
    for (line, text) in lines {
        let line = line + 1;
        let cells: Vec<&str> = text.split(',').map(str::trim).collect();
        if cells.len() != names.len() {
            return Err(format!(
                "line {line}: {} cells where the first line has {}",
                cells.len(),
                names.len()
            ));
        }
        let number = |i: usize| {
            let cell = cells[i];
            cell.parse::<i64>()
                .map_err(|_| format!("line {line}: {} is {cell:?}, not a number", names[i]))
        };
        let item = Item { start: number(lower)?, end: number(upper)?, size: number(size)? };
        if item.end < item.start || item.size < 0 {
            return Err(format!("line {line}: the life or the size is negative"));
        }
        if res.len() == MOST {
            return Err(format!("line {line}: more than {MOST} items"));
        }
        res.push(Named { id: cells[id].to_owned(), item });
    }
    let items: Vec<Item> = res.iter().map(|it: &Named| it.item).collect();
    check_items(&items)?;
    Ok(res)
}

/// Writes items in the order given, with their offsets if there are any.
pub fn write_csv(items: &[Named], offsets: Option<&[i64]>) -> String {
    let mut res = String::from("id,lower,upper,size");
    res.push_str(if offsets.is_some() { ",offset\n" } else { "\n" });
    for (i, it) in items.iter().enumerate() {
        let Item { start, end, size } = it.item;
        res.push_str(&format!("{},{start},{end},{size}", it.id));
        if let Some(offset) = offsets.and_then(|it| it.get(i)) {
            res.push_str(&format!(",{offset}"));
        }
        res.push('\n');
    }
    res
}
