// Writes variables as JSON, each on a line of its own, and shows the type that each has here:
// numbers with an exponent are f64, those without are integers.
use std::collections::BTreeMap;

trait Dump {
    fn dump(&self, out: &mut String);
}
impl Dump for () {
    fn dump(&self, _: &mut String) {
        unreachable!()
    }
}
impl Dump for bool {
    fn dump(&self, out: &mut String) {
        out.push_str(&self.to_string())
    }
}
impl Dump for i64 {
    fn dump(&self, out: &mut String) {
        out.push_str(&self.to_string())
    }
}
impl Dump for i128 {
    fn dump(&self, out: &mut String) {
        out.push_str(&self.to_string())
    }
}
impl Dump for f64 {
    fn dump(&self, out: &mut String) {
        out.push_str(&format!("{:e}", self))
    }
}
impl Dump for &'static str {
    fn dump(&self, out: &mut String) {
        out.push('"');
        for unit in self.encode_utf16() {
            out.push_str(&format!("\\u{:04x}", unit))
        }
        out.push('"');
    }
}
impl<T: Dump> Dump for Option<T> {
    fn dump(&self, out: &mut String) {
        match self {
            None => out.push_str("null"),
            Some(one) => one.dump(out),
        }
    }
}
impl<T: Dump> Dump for Vec<T> {
    fn dump(&self, out: &mut String) {
        out.push('[');
        for (n, one) in self.iter().enumerate() {
            if n > 0 {
                out.push(',')
            }
            one.dump(out)
        }
        out.push(']');
    }
}
impl<T: Dump> Dump for BTreeMap<&'static str, T> {
    fn dump(&self, out: &mut String) {
        out.push('{');
        for (n, (key, one)) in self.iter().enumerate() {
            if n > 0 {
                out.push(',')
            }
            key.dump(out);
            out.push(':');
            one.dump(out)
        }
        out.push('}');
    }
}
macro_rules! rows { ($(($($t:ident $n:tt),+))+) => { $(
    impl<$($t: Dump),+> Dump for ($($t,)+) {
        fn dump(&self, out: &mut String) {
            out.push('[');
            $( if $n > 0 { out.push(',') } self.$n.dump(out); )+
            out.push(']');
        }
    }
)+ } }
rows! {
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11)
}
fn dump<T: Dump>(value: &T) {
    let mut out = String::new();
    value.dump(&mut out);
    println!("{out}")
}
