//! The object cache: a folder of files named by the hash of what they are made from.
//!
//! Best effort throughout: a cache that cannot be written, or that holds rubbish,
//! costs time and nothing else. Several processes may use one folder: a file
//! appears by a rename, complete, and carries the hash of its contents, so what
//! was cut short or changed on disk is recognised, dropped and made anew.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::hash::Digest;

const DEFAULT_SIZE: u64 = 2 << 30;
const DIGEST_LEN: usize = 32;

/// A file's time says when it was last used, to this precision: a hit need not write each time.
const USE_PRECISION: Duration = Duration::from_secs(600);
/// Looking through the folder takes time; it is done this often.
const SWEEP_PERIOD: Duration = Duration::from_secs(300);
/// A temporary file this old belongs to nobody any more.
const STALE_AFTER: Duration = Duration::from_secs(3600);

/// A folder of built files.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
    max_size: u64,
}

impl Cache {
    /// The user's cache: in `TINTYPE_CACHE`, or `tintype/objects` in the user's
    /// cache folder; as large as `TINTYPE_CACHE_SIZE` says (bytes, or with K, M
    /// or G; 2G by default). `None` if the size is 0 or there is no place for it.
    pub fn from_env() -> Option<Cache> {
        let var = |name: &str| std::env::var_os(name).filter(|it| !it.is_empty());
        let max_size = match var("TINTYPE_CACHE_SIZE") {
            Some(text) => text.to_str().and_then(parse_size).unwrap_or(DEFAULT_SIZE),
            None => DEFAULT_SIZE,
        };
        let root = default_root(var)?;
        (max_size != 0).then(|| Cache::new(root, max_size))
    }

    /// A cache in this folder, which need not exist, of at most this many bytes.
    pub fn new(root: impl Into<PathBuf>, max_size: u64) -> Cache {
        Cache { root: root.into(), max_size }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, key: Digest) -> PathBuf {
        let name = key.to_string();
        self.root.join(&name[..2]).join(&name[2..])
    }

    /// What is stored under `key`. Marks it as used.
    pub(crate) fn get(&self, key: Digest) -> Option<Vec<u8>> {
        let path = self.path(key);
        let mut bytes = fs::read(&path).ok()?;
        let intact = bytes
            .split_last_chunk::<DIGEST_LEN>()
            .is_some_and(|(contents, digest)| Digest::of(contents).as_bytes() == digest);
        if !intact {
            // Not an error: it is as good as absent, and in the way.
            let _ = fs::remove_file(&path);
            return None;
        }
        bytes.truncate(bytes.len() - DIGEST_LEN);
        touch(&path);
        Some(bytes)
    }

    /// Stores a file, if the folder lets it.
    pub(crate) fn put(&self, key: Digest, bytes: &[u8]) {
        let path = self.path(key);
        let write = || -> io::Result<()> {
            let parent = path.parent().unwrap_or(&self.root);
            fs::create_dir_all(parent)?;
            // In the same folder, so that the rename is one step.
            let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(parent)?;
            file.write_all(bytes)?;
            file.write_all(Digest::of(bytes).as_bytes())?;
            file.persist(&path)?;
            Ok(())
        };
        let _ = write();
    }

    /// Sweeps, unless that was done a short while ago.
    pub(crate) fn sweep_sometimes(&self) {
        let stamp = self.root.join("swept");
        let is_recent = |time: SystemTime| time.elapsed().is_ok_and(|age| age < SWEEP_PERIOD);
        if fs::metadata(&stamp).and_then(|it| it.modified()).is_ok_and(is_recent) {
            return;
        }
        // A folder that does not exist has nothing to sweep.
        if fs::write(&stamp, []).is_ok() {
            self.sweep();
        }
    }

    /// Removes what was used longest ago until the cache is within its size, and
    /// what crashed processes left.
    pub fn sweep(&self) {
        let mut files = Vec::new();
        for dir in entries(&self.root).filter(|it| it.is_dir()) {
            for path in entries(&dir) {
                let Ok(meta) = fs::metadata(&path) else { continue };
                let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                let is_new =
                    path.file_name().is_some_and(|it| it.as_encoded_bytes().starts_with(b".new-"));
                if !is_new {
                    files.push((used, path, meta.len()));
                } else if used.elapsed().is_ok_and(|age| STALE_AFTER < age) {
                    let _ = fs::remove_file(path);
                }
            }
        }
        let mut size: u64 = files.iter().map(|&(_, _, len)| len).sum();
        if size <= self.max_size {
            return;
        }
        // Some room, so that the next file does not sweep again.
        let goal = self.max_size - self.max_size / 10;
        files.sort();
        for (_, path, len) in files {
            if size <= goal {
                break;
            }
            if fs::remove_file(path).is_ok() {
                size -= len;
            }
        }
    }
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|it| it.path())
}

fn touch(path: &Path) {
    let update = || -> io::Result<()> {
        let file = fs::File::options().append(true).open(path)?;
        let used = file.metadata()?.modified()?;
        if used.elapsed().is_ok_and(|age| age < USE_PRECISION) {
            return Ok(());
        }
        file.set_modified(SystemTime::now())
    };
    let _ = update();
}

fn default_root(var: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(root) = var("TINTYPE_CACHE") {
        return Some(root.into());
    }
    let user = match var("XDG_CACHE_HOME").map(PathBuf::from) {
        // The specification says to ignore relative ones.
        Some(dir) if dir.is_absolute() => dir,
        _ => Path::new(&var("HOME")?).join(".cache"),
    };
    Some(user.join("tintype").join("objects"))
}

fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (&text[..at], 1 << 10),
        (at, 'm' | 'M') => (&text[..at], 1 << 20),
        (at, 'g' | 'G') => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    number.trim().parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(max_size: u64) -> (tempfile::TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path().join("objects"), max_size);
        (dir, cache)
    }

    fn age(cache: &Cache, key: Digest, seconds: u64) {
        let file = fs::File::options().append(true).open(cache.path(key)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn what_is_put_is_got() {
        let (_dir, cache) = cache(1 << 20);
        let key = Digest::of(b"key");
        assert_eq!(cache.get(key), None);
        cache.put(key, b"contents");
        assert_eq!(cache.get(key).as_deref(), Some(&b"contents"[..]));
    }

    #[test]
    fn a_damaged_file_is_dropped() {
        let (_dir, cache) = cache(1 << 20);
        let key = Digest::of(b"key");
        for damage in [&b""[..], b"short", &[7; 100]] {
            cache.put(key, b"contents");
            fs::write(cache.path(key), damage).unwrap();
            assert_eq!(cache.get(key), None);
            assert!(!cache.path(key).exists());
        }
        cache.put(key, b"contents");
        assert!(cache.get(key).is_some());
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let (_dir, cache) = cache(3000);
        let keys: Vec<Digest> = (0u8..4).map(|it| Digest::of(&[it])).collect();
        for (idx, &key) in keys.iter().enumerate() {
            cache.put(key, &[0; 1000]);
            age(&cache, key, 10_000 - 1000 * idx as u64);
        }
        // The oldest becomes the newest.
        assert!(cache.get(keys[0]).is_some());
        cache.sweep();
        let kept: Vec<bool> = keys.iter().map(|&key| cache.get(key).is_some()).collect();
        assert_eq!(kept, [true, false, false, true]);
    }

    #[test]
    fn leftovers_are_removed_when_old() {
        let (_dir, cache) = cache(1 << 20);
        let key = Digest::of(b"key");
        cache.put(key, b"contents");
        let folder = cache.path(key).parent().unwrap().to_path_buf();
        let [old, new] = [".new-old", ".new-new"].map(|name| folder.join(name));
        for path in [&old, &new] {
            fs::write(path, b"half").unwrap();
        }
        let long_ago = SystemTime::now() - 2 * STALE_AFTER;
        fs::File::options().append(true).open(&old).unwrap().set_modified(long_ago).unwrap();
        cache.sweep();
        assert!(!old.exists() && new.exists());
        assert!(cache.get(key).is_some());
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, b"").unwrap();
        let cache = Cache::new(file.join("objects"), 1000);
        let key = Digest::of(b"key");
        cache.put(key, b"contents");
        assert_eq!(cache.get(key), None);
        cache.sweep_sometimes();
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("0"), Some(0));
        assert_eq!(parse_size("512 M"), Some(512 << 20));
        assert_eq!(parse_size("3g"), Some(3 << 30));
        assert_eq!(parse_size("99999999999G"), None);
        assert_eq!(parse_size("G"), None);
    }

    #[test]
    fn where_the_cache_is() {
        let root = |vars: &[(&str, &str)]| {
            default_root(|name| {
                vars.iter().find(|(it, _)| *it == name).map(|(_, value)| value.into())
            })
        };
        assert_eq!(root(&[]), None);
        assert_eq!(root(&[("HOME", "/h")]), Some("/h/.cache/tintype/objects".into()));
        let xdg = ("XDG_CACHE_HOME", "/x");
        assert_eq!(root(&[xdg, ("HOME", "/h")]), Some("/x/tintype/objects".into()));
        assert_eq!(root(&[("TINTYPE_CACHE", "/t"), xdg]), Some("/t".into()));
    }
}
