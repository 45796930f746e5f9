// Verify a voice bundle from docs/formats.md alone: steps 1 to 5. Prints one line a difference, sorted; exit 1 if any.
import { createHash } from "node:crypto";
import { lstatSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const root = process.argv[2];
const sha256 = (data) => createHash("sha256").update(data).digest("hex");
const found = [];
const report = (path, code) => found.push(`${path} ${code}`);

const fold = (path) => path.normalize("NFKC").toLowerCase().normalize("NFKC");
const unsafe = (path) =>
  typeof path !== "string" || path !== path.normalize("NFC") || /[\\:\u0000-\u001f\u007f]/.test(path) ||
  path.split("/").some((part) => part === "" || part === "." || part === "..");

function walk(folder, inside = "") {
  for (const name of readdirSync(folder)) {
    const path = inside ? `${inside}/${name}` : name;
    const state = lstatSync(join(folder, name));
    if (state.isDirectory()) walk(join(folder, name), path);
    else if (!state.isFile()) report(path, "not_a_regular_file");
    else if (path !== "manifest.json" && !listed.has(path)) report(path, "unlisted_file");
  }
}

function artifactDigest(manifest) {
  const { artifact_sha256: stated, ...rest } = manifest;
  return stated === sha256(JSON.stringify(rest, null, 2));
}

function source(manifest) {
  if (manifest.bundle_version !== "voice_bundle/1") return manifest;
  const skip = new Set(["source_manifest_path", "source_manifest_sha256"]);
  const names = Object.keys(manifest.provenance).filter((name) => name.startsWith("source_") && !skip.has(name));
  return Object.fromEntries(names.map((name) => [name.slice(7), manifest.provenance[name]]));
}

const manifest = JSON.parse(readFileSync(join(root, "manifest.json"), "utf8"));
const listed = new Map(manifest.files.map((entry) => [entry.path, entry]));
if (new Set([...listed.keys()].map(fold)).size !== manifest.files.length) report("manifest.json", "unsafe_path");
for (const path of listed.keys()) if (unsafe(path)) report(path, "unsafe_path");
walk(root);
for (const [path, entry] of listed) {
  let data;
  try {
    data = readFileSync(join(root, path));
  } catch {
    report(path, "required_file_missing");
    continue;
  }
  if (data.length !== entry.bytes) report(path, "bytes_mismatch");
  else if (sha256(data) !== entry.sha256) report(path, "checksum_mismatch");
}
if (!artifactDigest(source(manifest))) report("manifest.json", "artifact_sha256_mismatch");
found.sort().forEach((line) => console.log(line));
process.exit(found.length ? 1 : 0);
