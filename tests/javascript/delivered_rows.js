// Prints the curves and turns of a value under the sliders of a style, as the player shows them: [[weights, turn], ...].
import { readFileSync } from "node:fs";

import { Curves } from "#page/playback.js";

import * as library from "../../web/src/delivery.js";

const { content, plain, deliveries, heard, times } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const curves = new Curves(content);
curves.startFrom(plain);
curves.deliver(deliveries, library, heard);
console.log(JSON.stringify(times.map((seconds) => [[...curves.at(seconds, [])], curves.turnAt(seconds)])));
