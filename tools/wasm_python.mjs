// Runs a script under CPython in WebAssembly. Arguments: Pyodide's module, a JSON object of what the script sees
// ({"folders": {"path there": "path here"}, "search": ["first folder to import from"]}), the script's path there,
// and its arguments. Ends with the script's exit code.
import { pathToFileURL } from "node:url";

const [pyodide, seen, ...argv] = process.argv.slice(2);
const { folders, search } = JSON.parse(seen);
const { loadPyodide } = await import(pathToFileURL(pyodide));
const python = await loadPyodide({ env: { HOME: "/home/pyodide", PYTHONDONTWRITEBYTECODE: "1" } });
for (const [there, root] of Object.entries(folders)) {
  python.FS.mkdirTree(there);
  python.FS.mount(python.FS.filesystems.NODEFS, { root }, there);
}
python.globals.set("argv", argv);
python.globals.set("search", search);
try {
  process.exitCode = python.runPython(`
import runpy, sys
sys.argv = argv.to_py()
sys.path[:0] = search.to_py()
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
    code = 0
except SystemExit as end:
    code = end.code if isinstance(end.code, int) else int(end.code is not None)
code
`);
} catch (error) {
  // Node would print the line of Pyodide's source that threw, which is its whole source.
  console.error(error.message);
  process.exitCode = 1;
}
