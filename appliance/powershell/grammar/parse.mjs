// Parses PowerShell files, named as arguments, and prints a line for everything in them
// that is not PowerShell; then the number of files.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Parser, Language } from "web-tree-sitter";

const require = createRequire(import.meta.url);
await Parser.init();
const parser = new Parser();
parser.setLanguage(await Language.load(require.resolve("tree-sitter-powershell/tree-sitter-powershell.wasm")));

let wrong = 0;
function look(node, file, text) {
  if (node.isError || node.isMissing) {
    wrong++;
    console.log(`${file}:${node.startPosition.row + 1}:${node.startPosition.column + 1}: ${node.isMissing ? "missing " + node.type : "not PowerShell: " + node.text.slice(0, 60)}`);
  }
  if (node.hasError) {
    for (const child of node.children) look(child, file, text);
  }
}
const files = process.argv.slice(2);
for (const file of files) {
  const text = readFileSync(file, "utf8");
  look(parser.parse(text).rootNode, file, text);
}
console.log(`${files.length} files parsed, ${wrong} errors`);
process.exit(wrong ? 1 : 0);
