//! Settings of xl.cfg(5) as a user adds them (`--set`), read as libxlutil reads them
//! (libxlu_cfg_y.y).

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::vec::IntoIter;

use guest_protocol::CommandLine;

use crate::lexer::{Token, tokens};
use crate::value::Value;

/// Deepest list within lists.
const DEPTH_MAX: u32 = 8;

/// Reasons why a setting is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingError {
    /// Text that can't be read exactly; the reason.
    Unreadable(&'static str),
    /// Setting that would take the guest from the tool; the key, and what to do instead.
    Refused(String, &'static str),
    /// Command line that a guest must not have.
    Words(&'static str),
    /// List that is added to a text, or a text to a list; the key.
    Mixed(String),
}

impl Display for SettingError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => f.write_str(why),
            Self::Refused(key, advice) => write!(f, "{key}: {advice}"),
            Self::Words(why) => write!(f, "extra: {why}"),
            Self::Mixed(key) => write!(f, "{key}: a list and a text can't be added"),
        }
    }
}

impl Error for SettingError {}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    key: String,
    /// Whether the value is added to an earlier one (`+=`).
    adds: bool,
    value: Value,
}

/// Settings, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(Vec<Setting>);

impl Settings {
    /// Takes settings, but none that would keep the domain from being found or destroyed, or have
    /// it run other jobs on other disks than those that were named.
    ///
    /// # Errors
    /// Advice on what to do instead.
    pub fn parse(text: &str) -> Result<Self, SettingError> {
        let settings = read(text).map_err(SettingError::Unreadable)?;
        for setting in &settings {
            if let Some(advice) = advice(&setting.key) {
                return Err(SettingError::Refused(setting.key.clone(), advice));
            }
            if setting.key == "extra" {
                check_extra(&setting.value)?;
            }
        }
        Ok(Self(settings))
    }

    /// Returns whether one of them sets the guest's command line.
    pub(crate) fn has_extra(&self) -> bool {
        self.0.iter().any(|setting| setting.key == "extra")
    }

    /// Adds them to a configuration, in which each key is to stand once.
    ///
    /// # Errors
    /// [`SettingError::Mixed`].
    pub(crate) fn add_to(&self, all: &mut Vec<(String, Value)>) -> Result<(), SettingError> {
        for Setting { key, adds, value } in &self.0 {
            match all.iter_mut().find(|(known, _)| known == key) {
                None => all.push((key.clone(), value.clone())),
                Some((_, old)) if !adds => *old = value.clone(),
                Some((_, Value::Text(old))) if let Value::Text(new) = value => old.push_str(new),
                Some((_, Value::List(old))) if let Value::List(new) = value => {
                    old.extend(new.iter().cloned());
                }
                Some(_) => return Err(SettingError::Mixed(key.clone())),
            }
        }
        Ok(())
    }
}

/// Returns what to do instead of setting this; nothing if it may be set.
fn advice(key: &str) -> Option<&'static str> {
    Some(match key {
        "name" => "use --name",
        "kernel" => "use --kernel",
        "memory" => "use --memory",
        "vcpus" => "use --vcpus",
        "cpus" => "use --cpus",
        "disk" => "use --disk",
        "ramdisk" => "the tool passes the job to the guest; name a job file instead",
        "root" | "cmdline" => "it sets the guest's command line; use extra",
        "uuid" => "the tool recognizes the domain by it; leave it out",
        "type" | "builder" | "bootloader" | "bootloader_args" | "firmware" => {
            "the guest is PVH, and boots --kernel; leave it out"
        }
        "serial" | "channel" | "vuart" => "the result comes by the only console; leave it out",
        "device_model_stubdomain_override" => {
            "the tool does not destroy a second domain; leave it out"
        }
        _ if key.starts_with("stubdomain_") => {
            "the tool does not destroy a second domain; leave it out"
        }
        _ if key.starts_with("pvshim") => "the guest is PVH, and boots --kernel; leave it out",
        _ if key.starts_with("on_") => {
            "the domain is destroyed once its result has been read; leave it out"
        }
        _ => return None,
    })
}

/// Checks that a command line has the guest's own words only.
pub(crate) fn check_extra(value: &Value) -> Result<(), SettingError> {
    let Value::Text(line) = value else {
        return Err(SettingError::Words("write one text, not a list"));
    };
    let words = CommandLine::parse(line).map_err(SettingError::Words)?;
    if words.jobs.is_empty() {
        return Ok(());
    }
    Err(SettingError::Words("it contains jobs; write them into a job file, or after --"))
}

/// Reads `KEY=VALUE` and `KEY+=VALUE`, between semicolons and ends of lines.
fn read(text: &str) -> Result<Vec<Setting>, &'static str> {
    const WRONG: &str = "write KEY=VALUE, several with ; between them";
    let mut tokens = tokens(text)?.into_iter();
    let mut settings = Vec::new();
    while let Some(token) = tokens.next() {
        let key = match token {
            Token::Line | Token::Semicolon => continue,
            Token::Key(key) => key,
            _ => return Err(WRONG),
        };
        let adds = match tokens.next() {
            Some(Token::Assign) => false,
            Some(Token::Add) => true,
            _ => return Err(WRONG),
        };
        let value = value(tokens.next(), &mut tokens, DEPTH_MAX)?;
        if !matches!(tokens.next(), None | Some(Token::Line | Token::Semicolon)) {
            return Err(WRONG);
        }
        settings.push(Setting { key, adds, value });
    }
    if settings.is_empty() { Err(WRONG) } else { Ok(settings) }
}

/// Reads the value that begins with this token.
fn value(
    first: Option<Token>,
    tokens: &mut IntoIter<Token>,
    depth: u32,
) -> Result<Value, &'static str> {
    match first {
        Some(Token::Text(text)) => Ok(Value::Text(text)),
        Some(Token::Open) if depth > 0 => list(tokens, depth - 1),
        Some(Token::Open) => Err("too many lists within lists"),
        _ => Err("a value is a number, a text in quotation marks, or a list in [ ]"),
    }
}

/// Reads what follows a `[`: values with a comma between them, and perhaps one after the last.
fn list(tokens: &mut IntoIter<Token>, depth: u32) -> Result<Value, &'static str> {
    let mut values = Vec::new();
    let mut may_follow = true;
    loop {
        match tokens.next() {
            Some(Token::Line) => {}
            Some(Token::Close) => return Ok(Value::List(values)),
            Some(Token::Comma) if !may_follow => may_follow = true,
            first @ Some(_) if may_follow => {
                values.push(value(first, tokens, depth)?);
                may_follow = false;
            }
            _ => return Err("a list has commas between its values, and ends with ]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns settings as they are written.
    fn written(text: &str) -> String {
        let mut all = Vec::new();
        Settings::parse(text).unwrap().add_to(&mut all).unwrap();
        let lines: Vec<String> = all.iter().map(|(key, value)| format!("{key}={value}")).collect();
        lines.join(";")
    }

    #[test]
    fn settings_are_written_anew() {
        for (text, expected) in [
            ("tsc_mode=\"native\"", "tsc_mode=\"native\""),
            ("maxmem=99; tsc_mode = 'native';", "maxmem=99;tsc_mode=\"native\""),
            ("pool=\"a ; name=b\"", "pool=\"a ; name=b\""),
            ("pool='\"' ; maxmem=0x40", "pool=\"\\\"\";maxmem=\"0x40\""),
            ("pool=\"a\\\" ; name='b'\"", "pool=\"a\\\" ; name='b'\""),
            (
                "vif=[\"mac=00\",\n'bridge=a;b',\n]\nmaxmem=99",
                "vif=[\"mac=00\", \"bridge=a;b\"];maxmem=99",
            ),
            ("vnuma=[['pnode=0',[]],\n['size=1']]", "vnuma=[[\"pnode=0\", []], [\"size=1\"]]"),
            ("a=1 # it's\n\n;b=2", "a=1;b=2"),
            ("a='x';a+='y';a+='z';a=1;a=2;a+='3'", "a=23"),
            ("a=['x'];a+=[1]", "a=[\"x\", 1]"),
            ("extra=\"hypercall=page\"", "extra=\"hypercall=page\""),
            ("extra = 'hypercall=direct'; extra += ' hold'", "extra=\"hypercall=direct hold\""),
            ("extra=\"\"", "extra=\"\""),
            ("device_model_override='/usr/bin/qemu'", "device_model_override=\"/usr/bin/qemu\""),
        ] {
            assert_eq!(written(text), expected, "{text}");
        }
    }

    fn refusal(text: &str) -> String {
        Settings::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn what_the_tool_sets_itself_is_refused() {
        for (text, expected) in [
            ("name=\"b\"", "name: use --name"),
            ("maxmem=99 ; name = \"b\"", "use --name"),
            ("pool=\"'\" ; name=\"b\"", "use --name"),
            ("pool=\"a\\\\\" ; name=\"b\"", "use --name"),
            ("pool='a\\'' ; name=\"b\"", "use --name"),
            ("a=1 # it's\nname=\"b\"", "use --name"),
            ("vif=[\"a\",\n\"b\"]\nname=\"b\"", "use --name"),
            ("name+=\"b\"", "use --name"),
            ("name=['b']", "use --name"),
            ("kernel=\"/k\"", "use --kernel"),
            ("memory=99", "use --memory"),
            ("vcpus=2", "use --vcpus"),
            ("cpus='0'", "use --cpus"),
            ("disk+=['phy:/dev/a,xvda,w']", "use --disk"),
            ("uuid='a'", "leave it out"),
            ("type=\"pv\"", "the guest is PVH"),
            ("builder=\"generic\"", "the guest is PVH"),
            ("bootloader='pygrub'", "the guest is PVH"),
            ("firmware='pvgrub64'", "the guest is PVH"),
            ("pvshim=1", "the guest is PVH"),
            ("on_crash=\"destroy\"", "the domain is destroyed"),
            ("on_soft_reset=\"destroy\"", "the domain is destroyed"),
            ("ramdisk=\"other.fio\"", "name a job file"),
            ("root=\"bs=4k\"", "use extra"),
            ("cmdline=\"hold\"", "use extra"),
            ("serial='pty'", "the only console"),
            ("channel=['name=a']", "the only console"),
            ("device_model_stubdomain_override=1", "a second domain"),
            ("stubdomain_memory=9", "a second domain"),
            ("extra=\"a ; b\"", "it contains jobs"),
            ("extra='hypercall=page --rw=write'", "it contains jobs"),
            ("extra=\"hold\"; extra+=\" bs=4k\"", "it contains jobs"),
            ("extra=[\"hold\"]", "not a list"),
            ("extra=7", "it contains jobs"),
            ("extra=\"mode=x\"", "mode= must be"),
        ] {
            let error = refusal(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn what_cannot_be_read_exactly_is_refused() {
        for text in [
            "",
            " ",
            "word",
            "\"a=b\"",
            "a",
            "a=",
            "a=b",
            "a==1",
            "a=1b=2",
            "a=1 b=2",
            "a+1",
            "a=\n1",
            "a=[",
            "a=[1",
            "a=[,]",
            "a=[1,,2]",
            "a=[1 2]",
            "a=[1]]",
            "a=[1;2]",
            "a=(1)",
            "Name='b'",
            "a=1;N=2",
            "a=1\r\nb=2",
            "\u{a0}a=1",
            "\u{feff}name='b'",
            "n\u{e4}me='b'",
            "a=\"\\x41\"",
            "a=\"\\101\"",
            "extra=\"hold\\x20\"",
            "a=\"\\\" ; name=\"b\"",
            "a='1'\"2\"",
            "a=\0",
            "a=-1",
            "a=1.5",
            "-c=1",
            "a=[[[[[[[[[1]]]]]]]]]",
        ] {
            assert!(matches!(Settings::parse(text), Err(SettingError::Unreadable(_))), "{text:?}");
        }
    }

    #[test]
    fn a_list_and_a_text_are_not_added() {
        for text in ["a='x';a+=['y']", "a=['x'];a+='y'"] {
            let error = Settings::parse(text).unwrap().add_to(&mut Vec::new()).unwrap_err();
            assert_eq!(error, SettingError::Mixed("a".into()));
        }
    }
}
