//! The platform's side of an object: its state, its SQLite, and the values that cross over.

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use worker::worker_sys::{DurableObjectState, SqlStorage, SqlStorageCursor};

/// The error is what the platform threw.
pub(crate) type Result<T> = std::result::Result<T, JsValue>;

/// An object's database.
pub(crate) struct Sql(SqlStorage);

impl Sql {
    /// The database of this object.
    pub(crate) fn of(state: &DurableObjectState) -> Result<Self> {
        Ok(Self(state.storage()?.sql()))
    }

    /// Runs one statement; each `?` in it stands for a value.
    pub(crate) fn exec(&self, query: &str, values: Vec<SqlValue>) -> Result<Cursor> {
        let array = js_sys::Array::new();
        for value in values {
            array.push(&value.into());
        }
        self.0.exec(query, array).map(Cursor)
    }
}

#[cfg(any(feature = "worker", feature = "market"))]
impl Sql {
    /// Bytes of the database.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.database_size() as u64
    }
}

/// Sets an object's alarm for this time of the platform's clock.
pub(crate) async fn wake_at(state: &DurableObjectState, milliseconds: f64) -> Result<()> {
    let at = js_sys::Date::new(&JsValue::from_f64(milliseconds));
    let promise = state.storage()?.set_alarm(at, js_sys::Object::new())?;
    JsFuture::from(promise).await.map(|_| ())
}

/// The result of a statement.
pub(crate) struct Cursor(SqlStorageCursor);

impl Cursor {
    /// The rows, each an array of its columns.
    pub(crate) fn raw(&self) -> Raw {
        Raw(self.0.raw())
    }
}

/// Rows as they are read.
pub(crate) struct Raw(js_sys::Iterator);

impl Iterator for Raw {
    type Item = Result<Vec<SqlValue>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.0.next() {
            Ok(next) if next.done() => None,
            Ok(next) => {
                let columns = js_sys::Array::from(&next.value());
                Some(Ok(columns.iter().map(SqlValue::from).collect()))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// The value of a column.
#[derive(Clone)]
pub(crate) enum SqlValue {
    Null,
    Integer(i64),
    String(String),
    Blob(Vec<u8>),
}

impl From<&str> for SqlValue {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for SqlValue {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<Option<String>> for SqlValue {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::Null, Self::String)
    }
}

impl From<Vec<u8>> for SqlValue {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(bytes)
    }
}

impl From<SqlValue> for JsValue {
    fn from(value: SqlValue) -> Self {
        match value {
            SqlValue::Null => Self::NULL,
            SqlValue::Integer(number) => Self::from_f64(number as f64),
            SqlValue::String(text) => Self::from_str(&text),
            SqlValue::Blob(bytes) => js_sys::Uint8Array::from(bytes.as_slice()).into(),
        }
    }
}

/// No column holds a fraction, or a number beyond the exact ones.
impl From<JsValue> for SqlValue {
    fn from(value: JsValue) -> Self {
        if let Some(text) = value.as_string() {
            return Self::String(text);
        }
        if let Some(number) = value.as_f64() {
            let whole = number as i64;
            let exact = whole as f64 == number && whole.unsigned_abs() < 1 << 53;
            return if exact { Self::Integer(whole) } else { Self::Null };
        }
        match value.dyn_into::<js_sys::ArrayBuffer>() {
            Ok(bytes) => Self::Blob(js_sys::Uint8Array::new(&bytes).to_vec()),
            Err(_) => Self::Null,
        }
    }
}
