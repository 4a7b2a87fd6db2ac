// What is asked of the page's JavaScript and of its tests; three.js is not ours.
import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["**/three/three.js", ".*/**", "build/**", "out/**", "runs/**"] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: { eqeqeq: "error", "no-unused-vars": "error", "no-undef": "error", "prefer-const": "error", "no-var": "error" },
  },
  { files: ["web/src/worklet.js"], languageOptions: { globals: globals.audioWorklet } },
  { files: ["tests/**", "eslint.config.js"], languageOptions: { globals: globals.node } },
];
