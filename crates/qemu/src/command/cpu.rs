use super::{Build, CommandError, Value, props::Props};
use std::collections::BTreeMap;

/// What the levels of the x86-64 psABI ask for beyond each other, on top of QEMU's plain model.
const LEVEL_2: &[&str] = &["popcnt", "pni", "sse4.1", "sse4.2", "ssse3"];
const LEVEL_3: &[&str] = &["abm", "aes", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"];
const LEVEL_4: &[&str] = &["avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"];

/// Models that are no maker's, or take the host's.
const NO_VENDOR: [&str; 6] = ["kvm32", "kvm64", "qemu32", "qemu64", "max", "host"];

impl Build<'_> {
    pub(super) fn processor(&mut self) -> Result<(), CommandError> {
        let props = Props::of(self.main, "cpu")?;
        let configured = props.get("cputype").unwrap_or(if self.kvm { "kvm64" } else { "qemu64" });
        if configured.starts_with("custom-") {
            return Err(CommandError::unsupported(
                "cpu",
                format!("'{configured}': custom models are not known here"),
            ));
        }
        if configured == "host" && !self.kvm {
            return Err(CommandError::unsupported("cpu", "'host' needs KVM, which this guest runs without"));
        }
        let level: &[&[&str]] = match configured {
            "x86-64-v2" => &[LEVEL_2],
            "x86-64-v2-AES" => &[LEVEL_2, &["aes"]],
            "x86-64-v3" => &[LEVEL_2, LEVEL_3],
            "x86-64-v4" => &[LEVEL_2, LEVEL_3, LEVEL_4],
            _ => &[],
        };
        let model = if level.is_empty() { configured } else { "qemu64" };

        // Each flag once, the later word wins; in the order of their names.
        let mut flags: BTreeMap<&str, String> = BTreeMap::new();
        let mut on = |name: &'static str| flags.insert(name, format!("+{name}"));
        if matches!(model, "kvm64" | "kvm32") {
            on("sep");
        }
        if model == "kvm64" {
            on("lahf_lm");
        }
        for flag in level.iter().copied().flatten() {
            on(flag);
        }
        if self.kvm {
            on("kvm_pv_eoi");
            on("kvm_pv_unhalt");
            if let Some(version) = self.windows {
                self.enlighten(version, &props, &mut flags);
            }
        }
        if self.main.get("ostype") == Some("solaris") {
            flags.insert("x2apic", "-x2apic".to_owned());
        }
        if model.starts_with("Opteron") {
            flags.insert("rdtscp", "-rdtscp".to_owned());
        }
        for flag in props.get("flags").unwrap_or_default().split(';').filter(|flag| !flag.is_empty()) {
            let name = flag.get(1..).unwrap_or_default();
            if !matches!(flag.as_bytes()[0], b'+' | b'-') || name.is_empty() {
                return Err(CommandError::invalid(
                    "cpu",
                    format!("flags: '{flag}' does not begin with + or -"),
                ));
            }
            flags.insert(name, flag.to_owned());
        }
        if self.kvm && model != "host" {
            flags.insert("enforce", "enforce".to_owned());
            if level.is_empty() && !NO_VENDOR.contains(&model) {
                flags.insert("vendor", format!("vendor={}", vendor(model)));
            }
        }
        if props.flag("hidden") == Some(true) {
            flags.insert("kvm", "kvm=off".to_owned());
        }
        if let Some(bits) = props.get("phys-bits") {
            let flag = if bits == "host" {
                "host-phys-bits=on".to_owned()
            } else {
                format!("phys-bits={}", props.number("phys-bits").unwrap_or_default())
            };
            flags.insert("phys-bits", flag);
        }
        for name in ["guest-phys-bits", "level"] {
            if let Some(number) = props.number(name) {
                flags.insert(name, format!("{name}={number}"));
            }
        }
        let mut value = Value::new(model);
        for flag in flags.values() {
            value = value.raw(flag);
        }
        self.option("-cpu", value);
        Ok(())
    }

    /// What lets Windows know that it runs on a hypervisor that speaks Hyper-V's language.
    fn enlighten(&self, version: u32, props: &Props, flags: &mut BTreeMap<&str, String>) {
        if version < 6 {
            return;
        }
        let mut names = vec!["hv_time", "hv_vapic"];
        if version >= 7 {
            names.extend([
                "hv_ipi",
                "hv_relaxed",
                "hv_reset",
                "hv_runtime",
                "hv_stimer",
                "hv_synic",
                "hv_vpindex",
            ]);
        }
        for name in names {
            flags.insert(name, name.to_owned());
        }
        flags.insert("hv_spinlocks", "hv_spinlocks=0x1fff".to_owned());
        if let Some(vendor) = props.get("hv-vendor-id") {
            flags.insert("hv_vendor_id", format!("hv_vendor_id={vendor}"));
        }
    }

    /// Sockets, cores and how many CPUs there are at first.
    pub(super) fn topology(&mut self) -> Result<(), CommandError> {
        let total = self.sockets * self.cores;
        if total > u64::from(self.facts.cpus) {
            return Err(CommandError::TooManyCpus { allowed: self.facts.cpus });
        }
        let first = self.positive("vcpus", total)?.min(total);
        self.option(
            "-smp",
            Value::new(first.to_string())
                .set("sockets", self.sockets)
                .set("cores", self.cores)
                .set("maxcpus", total),
        );
        Ok(())
    }
}

fn vendor(model: &str) -> &'static str {
    let amd = ["EPYC", "Opteron", "athlon", "phenom"];
    if amd.iter().any(|prefix| model.starts_with(prefix)) {
        "AuthenticAMD"
    } else if model.starts_with("Dhyana") {
        "HygonGenuine"
    } else {
        "GenuineIntel"
    }
}
