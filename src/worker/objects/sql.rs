//! The platform's side of an object: its state, its SQLite, and the values that cross over.

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// What went wrong is what the platform threw.
pub(super) type Result<T> = std::result::Result<T, JsValue>;

#[wasm_bindgen]
extern "C" {
    /// What an object's constructor is given.
    pub type ObjectState;

    #[wasm_bindgen(method, getter)]
    fn storage(this: &ObjectState) -> Storage;

    type Storage;

    #[wasm_bindgen(method, getter)]
    fn sql(this: &Storage) -> Sql;

    #[wasm_bindgen(method, catch, js_name = setAlarm)]
    fn set_alarm(
        this: &Storage,
        milliseconds: f64,
    ) -> std::result::Result<js_sys::Promise, JsValue>;

    /// An object's database.
    pub type Sql;

    #[wasm_bindgen(method, catch, variadic, js_name = exec)]
    fn run(this: &Sql, query: &str, values: js_sys::Array) -> std::result::Result<Cursor, JsValue>;

    /// What a statement gave.
    pub type Cursor;

    #[wasm_bindgen(method, js_name = raw)]
    fn arrays(this: &Cursor) -> js_sys::Iterator;
}

impl ObjectState {
    /// The object's database.
    pub(super) fn database(&self) -> Sql {
        self.storage().sql()
    }

    /// Sets the alarm for this time of the platform's clock.
    pub(super) async fn wake_at(&self, milliseconds: f64) -> Result<()> {
        JsFuture::from(self.storage().set_alarm(milliseconds)?).await.map(|_| ())
    }
}

impl Sql {
    /// Runs one statement; each `?` in it stands for a value.
    pub(super) fn exec(&self, query: &str, values: Vec<Value>) -> Result<Cursor> {
        let array = js_sys::Array::new();
        for value in values {
            array.push(&value.into());
        }
        self.run(query, array)
    }
}

impl Cursor {
    /// The rows, each an array of its columns.
    pub(super) fn raw(&self) -> Raw {
        Raw(self.arrays())
    }
}

/// Rows as they are read.
pub(super) struct Raw(js_sys::Iterator);

impl Iterator for Raw {
    type Item = Result<Vec<Value>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.0.next() {
            Ok(next) if next.done() => None,
            Ok(next) => {
                let columns = js_sys::Array::from(&next.value());
                Some(Ok(columns.iter().map(Value::from).collect()))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// What a column holds.
pub(super) enum Value {
    Null,
    Integer(i64),
    String(String),
    Blob(Vec<u8>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::Null, Self::String)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(bytes)
    }
}

impl From<Value> for JsValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Integer(number) => Self::from_f64(number as f64),
            Value::String(text) => Self::from_str(&text),
            Value::Blob(bytes) => js_sys::Uint8Array::from(bytes.as_slice()).into(),
        }
    }
}

/// No column holds a fraction, and no number one to which it is not exact.
impl From<JsValue> for Value {
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
