// What the checks of every client for Node share.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const home = createRequire(path.join(process.env.WEIR_NODE_HOME, "package.json"));

/** The module of a package that lives in WEIR_NODE_HOME. */
export const load = (name) => import(pathToFileURL(home.resolve(name)).href);

/** What it exports by default, if it was written for `require` or not. */
export async function loadDefault(name) {
  const module = await load(name);
  return module.default.default ?? module.default;
}

/** Runs the checks of one kind of client, says which failed, and ends the process: 1 if one did. */
export async function run(kind, checks, client) {
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
    } catch (error) {
      failed += 1;
      console.log(`${kind} ${name}: FAILED\n${error.stack}`);
    }
  }
  console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed (${client})`);
  process.exit(failed ? 1 : 0);
}
