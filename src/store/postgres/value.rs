//! Values on their way to PostgreSQL and back, in its binary format (postgresql.org, "Frontend/
//! Backend Protocol").

use smallvec::SmallVec;

use super::PgError;

/// A parameter of a statement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Param<'a> {
    Int(i64),
    /// `NULL`, or a number.
    MaybeInt(Option<i64>),
    Bool(bool),
    Text(&'a str),
    /// `NULL` in a column of texts.
    NoText,
    Bytes(&'a [u8]),
    /// `NULL` in a column of bytes.
    NoBytes,
    Ints(&'a [i64]),
    Texts(&'a [&'a str]),
    Blobs(&'a [&'a [u8]]),
}

/// Object ids of the types (pg_type.dat).
const BOOL: i32 = 16;
const BYTEA: i32 = 17;
const INT8: i32 = 20;
const TEXT: i32 = 25;

impl Param<'_> {
    /// The object id of its type.
    pub(super) fn oid(self) -> i32 {
        match self {
            Param::Int(_) | Param::MaybeInt(_) => INT8,
            Param::Bool(_) => BOOL,
            Param::Text(_) | Param::NoText => TEXT,
            Param::Bytes(_) | Param::NoBytes => BYTEA,
            Param::Ints(_) => 1_016,
            Param::Texts(_) => 1_009,
            Param::Blobs(_) => 1_001,
        }
    }

    /// Appends its length and its bytes.
    pub(super) fn put(self, out: &mut Vec<u8>) {
        match self {
            Param::Int(n) => put(out, &n.to_be_bytes()),
            Param::MaybeInt(Some(n)) => put(out, &n.to_be_bytes()),
            Param::MaybeInt(None) | Param::NoText | Param::NoBytes => {
                out.extend((-1_i32).to_be_bytes())
            }
            Param::Bool(is) => put(out, &[u8::from(is)]),
            Param::Text(text) => put(out, text.as_bytes()),
            Param::Bytes(bytes) => put(out, bytes),
            Param::Ints(all) => {
                array(out, INT8, all, |out, n| put(out, &n.to_be_bytes()));
            }
            Param::Texts(all) => array(out, TEXT, all, |out, text| put(out, text.as_bytes())),
            Param::Blobs(all) => array(out, BYTEA, all, |out, bytes| put(out, bytes)),
        }
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(length(bytes.len()));
    out.extend_from_slice(bytes);
}

/// A length as it is sent. A message has [`limits::BATCH_BYTES`](crate::limits::BATCH_BYTES) and
/// some more, so it fits.
pub(super) fn length(bytes: usize) -> [u8; 4] {
    i32::try_from(bytes).unwrap_or(i32::MAX).to_be_bytes()
}

fn array<T>(out: &mut Vec<u8>, oid: i32, all: &[T], one: impl Fn(&mut Vec<u8>, &T)) {
    let start = out.len();
    out.extend([0; 4]);
    // Dimensions, whether there are NULLs, the type of the elements.
    for word in [i32::from(!all.is_empty()), 0, oid] {
        out.extend(word.to_be_bytes());
    }
    if !all.is_empty() {
        out.extend(length(all.len()));
        out.extend(1_i32.to_be_bytes());
    }
    all.iter().for_each(|item| one(out, item));
    let bytes = length(out.len() - start - 4);
    out[start..start + 4].copy_from_slice(&bytes);
}

/// A row of an answer.
#[derive(Debug)]
pub(super) struct PgRow {
    body: Box<[u8]>,
    /// Where each column begins, and how many bytes it has; `None`: `NULL`.
    columns: SmallVec<[Option<(usize, usize)>; 8]>,
}

impl PgRow {
    /// A row from the body of its message; `None` if that is no row.
    pub(super) fn parse(body: &[u8]) -> Option<PgRow> {
        let count = u16::from_be_bytes(*body.first_chunk()?);
        let mut columns = SmallVec::new();
        let mut at = 2;
        for _ in 0..count {
            let length = i32::from_be_bytes(*body.get(at..)?.first_chunk()?);
            at += 4;
            columns.push(usize::try_from(length).ok().map(|length| (at, length)));
            at += usize::try_from(length).unwrap_or(0);
        }
        (at == body.len()).then(|| PgRow { body: body.into(), columns })
    }

    /// A column.
    ///
    /// # Errors
    /// It is not of this type.
    pub(super) fn get<T: FromColumn>(&self, at: usize) -> Result<T, PgError> {
        let column = self.columns.get(at).copied().flatten();
        let bytes = column.and_then(|(from, length)| self.body.get(from..from + length));
        T::of(bytes).ok_or_else(|| PgError::Odd(format!("column {at} of an answer is odd")))
    }
}

/// A type that a column can have.
pub(super) trait FromColumn: Sized {
    /// The value, if the bytes are one. `None` stands for `NULL`.
    fn of(bytes: Option<&[u8]>) -> Option<Self>;
}

impl FromColumn for i64 {
    fn of(bytes: Option<&[u8]>) -> Option<i64> {
        match *bytes? {
            [a, b] => Some(i16::from_be_bytes([a, b]).into()),
            [a, b, c, d] => Some(i32::from_be_bytes([a, b, c, d]).into()),
            ref bytes => bytes.try_into().ok().map(i64::from_be_bytes),
        }
    }
}

impl FromColumn for bool {
    fn of(bytes: Option<&[u8]>) -> Option<bool> {
        match *bytes? {
            [is] => Some(is != 0),
            _ => None,
        }
    }
}

impl FromColumn for String {
    fn of(bytes: Option<&[u8]>) -> Option<String> {
        str::from_utf8(bytes?).ok().map(str::to_owned)
    }
}

impl FromColumn for Box<str> {
    fn of(bytes: Option<&[u8]>) -> Option<Box<str>> {
        str::from_utf8(bytes?).ok().map(Into::into)
    }
}

impl FromColumn for Vec<u8> {
    fn of(bytes: Option<&[u8]>) -> Option<Vec<u8>> {
        bytes.map(<[u8]>::to_vec)
    }
}

/// An array of one dimension, without a `NULL`.
impl FromColumn for Vec<i64> {
    fn of(bytes: Option<&[u8]>) -> Option<Vec<i64>> {
        // Dimensions, whether there are NULLs, the type; of each dimension its length and where it
        // begins; and then each element with its length.
        let bytes = bytes?;
        let all = bytes.get(20..).unwrap_or_default().chunks_exact(12);
        all.map(|one| one[4..].try_into().ok().map(i64::from_be_bytes)).collect()
    }
}

impl FromColumn for [u8; 32] {
    fn of(bytes: Option<&[u8]>) -> Option<[u8; 32]> {
        bytes?.try_into().ok()
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn of(bytes: Option<&[u8]>) -> Option<Option<T>> {
        match bytes {
            None => Some(None),
            bytes => T::of(bytes).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(param: Param) -> Vec<u8> {
        let mut out = Vec::new();
        param.put(&mut out);
        out
    }

    #[test]
    fn a_value_is_its_length_and_its_bytes() {
        assert_eq!(sent(Param::Int(258)), [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(sent(Param::MaybeInt(None)), [255; 4]);
        assert_eq!(sent(Param::Text("ä")), [0, 0, 0, 2, 0xc3, 0xa4]);
        assert_eq!(sent(Param::Ints(&[])), [0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20]);
        let of_one = [&[0, 0, 0, 25][..], &[0, 0, 0, 1], &[0; 4], &[0, 0, 0, 25]].concat();
        let one = [&of_one[..], &[0, 0, 0, 1], &[0, 0, 0, 1], &[0, 0, 0, 1, b'x']].concat();
        assert_eq!(sent(Param::Texts(&["x"])), one);
    }

    #[test]
    fn a_row_is_taken_apart() {
        let body = [&[0, 3, 0, 0, 0, 2, 1, 2][..], &[255; 4], &[0, 0, 0, 1, b'x']].concat();
        let row = PgRow::parse(&body).unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), 258);
        assert_eq!(row.get::<Option<i64>>(1).unwrap(), None);
        assert_eq!(row.get::<String>(2).unwrap(), "x");
        assert!(row.get::<i64>(1).is_err(), "a NULL is no number");
        assert!(row.get::<String>(3).is_err(), "there is no such column");
        assert!(PgRow::parse(&body[..body.len() - 1]).is_none());
    }
}
