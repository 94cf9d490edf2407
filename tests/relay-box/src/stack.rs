//! How deep the stack can get at most, from the machine code: what each function takes, and who
//! calls whom. Interrupts are not in it. Whatever would make the figure a guess is an error: a call
//! through a pointer, recursion, a stack pointer that is computed.
//!
//! The compiler's own `.stack_sizes` would not do: its library comes without (`memcpy`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

#[derive(Default, Debug)]
struct Function {
    name: String,
    /// All that it ever takes, as if at the same time.
    frame: u64,
    /// Where it calls and jumps to.
    targets: BTreeSet<u64>,
    /// What cannot be followed.
    unknown: Option<String>,
}

/// The functions of a program by their addresses.
#[derive(Debug)]
pub struct Program(BTreeMap<u64, Function>);

impl Program {
    /// Those of an ELF file.
    pub fn of(elf: &Path) -> Self {
        let output = Command::new("arm-none-eabi-objdump")
            .args(["-d", "--no-show-raw-insn"])
            .arg(elf)
            .output()
            .expect("core/relay-box/setup installs binutils");
        assert!(output.status.success(), "{output:?}");
        Self::parse(&String::from_utf8_lossy(&output.stdout))
    }

    fn parse(disassembly: &str) -> Self {
        let mut functions = BTreeMap::new();
        let mut function = &mut Function::default();
        for line in disassembly.lines() {
            if let Some((address, name)) = line
                .strip_suffix(">:")
                .and_then(|line| line.split_once(" <"))
            {
                let address = u64::from_str_radix(address, 16).expect("an address");
                function = functions.entry(address).or_default();
                name.clone_into(&mut function.name);
            } else if let [_, mnemonic, operands @ ..] =
                line.split('\t').collect::<Vec<_>>().as_slice()
            {
                function.add(mnemonic, operands.first().copied().unwrap_or_default());
            }
        }
        Self(functions)
    }

    /// The deepest that it gets from this function on, in bytes.
    pub fn deepest(&self, name: &str) -> Result<u64, String> {
        let (address, _) = self
            .0
            .iter()
            .find(|(_, function)| function.name == name)
            .ok_or_else(|| format!("there is no {name}"))?;
        self.below(*address, &mut Vec::new())
    }

    fn below(&self, address: u64, callers: &mut Vec<u64>) -> Result<u64, String> {
        let (start, function) = self
            .0
            .range(..=address)
            .next_back()
            .ok_or_else(|| format!("nothing is at {address:x}"))?;
        let name = &function.name;
        if let Some(unknown) = &function.unknown {
            return Err(format!("{name}: {unknown}"));
        }
        if callers.contains(start) {
            return Err(format!("{name} calls itself"));
        }
        callers.push(*start);
        let mut deepest = 0;
        for target in &function.targets {
            // A jump within the function is none of its calls; a call of itself is.
            let within = self
                .0
                .range(..=*target)
                .next_back()
                .is_some_and(|(of, _)| of == start);
            if !within || target == start {
                deepest = deepest.max(self.below(*target, callers)?);
            }
        }
        callers.pop();
        Ok(function.frame + deepest)
    }
}

impl Function {
    fn add(&mut self, mnemonic: &str, operands: &str) {
        let kind = mnemonic.split('.').next().unwrap_or_default();
        let (first, rest) = operands.split_once(',').unwrap_or((operands, ""));
        let target = operands
            .split_once(" <")
            .and_then(|(before, _)| before.rsplit([' ', '\t']).next())
            .and_then(|address| u64::from_str_radix(address, 16).ok());
        let number = |text: &str| -> Option<u64> {
            let digits = text.split(['\t', ' ', ']']).next()?;
            digits.parse().ok()
        };
        let registers =
            || (!operands.contains('-')).then(|| 4 * operands.matches(',').count() as u64);
        let taken = match kind {
            "push" => registers().map(|bytes| bytes + 4),
            "stmdb" if first == "sp!" => registers(),
            "sub" | "subw" if first == "sp" => {
                rest.rsplit_once('#').and_then(|(_, text)| number(text))
            }
            "str" | "strd" if operands.ends_with("]!") && operands.contains("[sp") => operands
                .rsplit_once("#-")
                .and_then(|(_, text)| number(text)),
            "add" | "addw" if first == "sp" && rest.contains('#') => Some(0),
            "stm" | "stmia" | "ldm" | "ldmia" if first == "sp" => Some(0),
            "ldm" | "ldmia" if first == "sp!" => Some(0),
            "ldr" if operands.starts_with("pc, [sp], #") => Some(0),
            "bx" if operands == "lr" => Some(0),
            "bx" | "blx" | "msr" | "vpush" | "svc" => None,
            _ if ["sp", "sp!", "pc"].contains(&first) && !["cmp", "cmn", "tst"].contains(&kind) => {
                None
            }
            _ if operands.contains("sp!")
                || operands.contains("[sp") && operands.ends_with("]!") =>
            {
                None
            }
            _ if (kind.starts_with('b') || kind.starts_with("cb"))
                && !["bic", "bics", "bfi", "bfc", "bkpt"].contains(&kind) =>
            {
                target.map(|target| {
                    self.targets.insert(target);
                    0
                })
            }
            _ => Some(0),
        };
        match taken {
            Some(bytes) => self.frame += bytes,
            None => self.unknown = Some(format!("{mnemonic} {operands}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "00000000 <a>:\n   0:\tpush\t{r4, r7, lr}\n   2:\tsub\tsp, #60\t@ 0x3c\n   4:\tbeq.n\t8 <a+0x8>\n   6:\tbl\t20 <b>\n";

    fn deepest(rest: &str) -> Result<u64, String> {
        Program::parse(&format!("{START}{rest}")).deepest("a")
    }

    #[test]
    fn what_is_called_is_added_and_of_several_the_deepest() {
        let b = "00000020 <b>:\n  20:\tstr.w\tfp, [sp, #-4]!\n  24:\tb.w\t40 <c>\n";
        let c = "00000040 <c>:\n  40:\tstmdb\tsp!, {r8, r9}\n  44:\tsub.w\tsp, sp, #4096\t@ 0x1000\n  48:\tbx\tlr\n";
        assert_eq!(
            deepest(b.replace("b.w\t40 <c>", "bx\tlr").as_str()),
            Ok(72 + 4)
        );
        assert_eq!(deepest(&format!("{b}{c}")), Ok(72 + 4 + 8 + 4096));
    }

    #[test]
    fn what_cannot_be_followed_is_an_error() {
        for instruction in [
            "blx\tr3",
            "bx\tr3",
            "mov\tpc, r3",
            "ldr.w\tpc, [r3, #4]",
            "mov\tsp, r3",
            "sub.w\tsp, sp, r3",
            "add\tsp, r4",
            "vpush\t{d8-d9}",
            "bl\t0 <a>",
            "bl\t20 <b>",
        ] {
            let rest = format!("00000020 <b>:\n  20:\t{instruction}\n");
            assert!(deepest(&rest).is_err(), "{instruction}");
        }
        assert!(Program::parse(START).deepest("b").is_err());
    }
}
