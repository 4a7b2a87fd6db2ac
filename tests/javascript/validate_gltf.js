// What the validator of Khronos says of glTF files: `node validate_gltf.js FILE...` prints a JSON list of reports.
import { readFileSync } from "node:fs";
import validator from "gltf-validator";

const reports = [];
for (const file of process.argv.slice(2)) {
  reports.push(await validator.validateBytes(new Uint8Array(readFileSync(file)), { maxIssues: 1000 }));
}
console.log(JSON.stringify(reports));
