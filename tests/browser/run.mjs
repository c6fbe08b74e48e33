// One flow, by its name: `node run.mjs sign-in`. What it needs around it is set by tests/it/page.rs.
import { flow } from "./lib.mjs";

const name = process.argv[2];
const { default: steps } = await import(`./flows/${name}.mjs`);
await flow(name, steps);
