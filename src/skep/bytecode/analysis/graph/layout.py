"""Places for boxes and routes for arrows: a layered drawing that reads from top to bottom.

The steps are Sugiyama's (1981): layers by longest path, lanes for what passes a layer, order
inside a layer by barycentres, positions by least squares (pool adjacent violators), then routing
with right angles. Arrows of one kind to one box share a lane, so a common exit costs one lane and
not one per jump. Arrows upwards run at the right-hand side. Nothing but lanes and ports is between
boxes, so no arrow crosses one.

Everything is a function of the arguments: no randomness, no hashing order.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from skep.bytecode.analysis.graph.placing import Cell, positions

SPACE = 28.0  # between boxes of a layer
LANE = 12.0  # between arrows that run side by side
TRACK = 9.0  # between horizontal parts of arrows
LABEL = 16.0  # below a box, for words at its arrows
ARROW = 12.0  # above a box
_SWEEPS = 8


@dataclass(frozen=True, slots=True)
class BlockSize:
    """What a box needs, in pixels."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Arrow:
    """From one box to another, by their numbers; arrows alike in target and kind share a lane."""

    source: int
    target: int
    kind: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A box's upper left corner and size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Route:
    """The arrows of one kind into one box.

    Attributes:
        kind: of all of them.
        target: number of the box.
        upwards: they go back up: a loop.
        strokes: straight lines (x1, y1, x2, y2), horizontal or vertical.
        tip: where the arrow head touches the box.
    """

    kind: str
    target: int
    upwards: bool
    strokes: tuple[tuple[float, float, float, float], ...]
    tip: tuple[float, float]


@dataclass(frozen=True, slots=True)
class GraphLayout:
    """Where everything is; ``ports`` says where an arrow leaves its box."""

    width: float
    height: float
    boxes: tuple[Placed, ...]
    routes: tuple[Route, ...]
    ports: dict[Arrow, tuple[float, float]]


@dataclass(slots=True)
class _Net:
    """Arrows of one kind into one box, in one direction."""

    kind: str
    target: int
    upwards: bool
    sources: list[Arrow] = field(default_factory=list)
    lanes: dict[int, int] = field(default_factory=dict)  # layer: cell
    tip: float = 0.0
    side: float = 0.0


@dataclass(slots=True)
class _Crossing:
    """A net between layer ``gap`` and the next: pins above (x, y), pin below (x)."""

    net: _Net
    above: list[tuple[float, float]]
    below: float | None
    to_side: bool
    track: int = -1


def lay_out(sizes: Sequence[BlockSize], arrows: Iterable[Arrow]) -> GraphLayout:
    """Place boxes, numbered in an order in which arrows that are no loops go forwards.

    An arrow to a box with the same or a lower number is drawn upwards.
    """
    layers = [0] * len(sizes)
    wires = sorted(set(arrows), key=lambda each: (each.source, each.target, each.kind))
    for arrow in wires:  # sorted by source, so a source's layer is final when it is looked at
        if arrow.target > arrow.source:
            layers[arrow.target] = max(layers[arrow.target], layers[arrow.source] + 1)
    led_to = {wire.target for wire in wires} | {wire.source for wire in wires}
    lowest = max(layers, default=0) + 1
    for number in range(1, len(sizes)):
        if number not in led_to:  # code that nothing leads to stands below the rest
            layers[number] = lowest
    cells = [Cell(number, layers[number], size.width) for number, size in enumerate(sizes)]
    nets = _nets(wires, layers, cells)
    rows = _rows(cells)
    _connect(nets, layers, cells)
    _order(rows, cells)
    x = positions(rows, cells, space=SPACE, lane=LANE)
    return _Router(sizes, layers, nets, cells, rows, x).route()


def _nets(wires: Sequence[Arrow], layers: Sequence[int], cells: list[Cell]) -> list[_Net]:
    nets: dict[Hashable, _Net] = {}
    for arrow in wires:
        upwards = arrow.target <= arrow.source
        key = (arrow.target, arrow.kind, upwards)
        net = nets.setdefault(key, _Net(arrow.kind, arrow.target, upwards))
        net.sources.append(arrow)
    for net in nets.values():
        if net.upwards:
            continue
        first = min(layers[arrow.source] for arrow in net.sources)
        for layer in range(first + 1, layers[net.target]):
            net.lanes[layer] = len(cells)
            cells.append(Cell(len(cells), layer, 0.0, is_lane=True))
    return list(nets.values())


def _connect(nets: Sequence[_Net], layers: Sequence[int], cells: Sequence[Cell]) -> None:
    """Tell cells their neighbours in the layers next to theirs."""
    for net in nets:
        if net.upwards:
            continue
        for arrow in net.sources:
            below = net.lanes.get(layers[arrow.source] + 1, net.target)
            cells[arrow.source].below.append(below)
            cells[below].above.append(arrow.source)
        for layer, lane in net.lanes.items():
            below = net.lanes.get(layer + 1, net.target)
            cells[lane].below.append(below)
            cells[below].above.append(lane)


def _rows(cells: Sequence[Cell]) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in range(1 + max((c.layer for c in cells), default=-1))]
    for cell in cells:
        rows[cell.layer].append(cell.number)
    return rows


def _order(rows: list[list[int]], cells: Sequence[Cell]) -> None:
    """Order each row by the mean place of its neighbours, downwards and upwards in turn."""
    place = [0.0] * len(cells)

    def settle(row: list[int]) -> None:
        for index, number in enumerate(row):
            place[number] = (index + 0.5) / len(row)

    for row in rows:
        settle(row)
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        for row in rows if downwards else reversed(rows):
            wish = {}
            for number in row:
                near = cells[number].above if downwards else cells[number].below
                wish[number] = (
                    sum(place[each] for each in near) / len(near) if near else place[number]
                )
            row.sort(key=lambda number: (wish[number], place[number], number))
            settle(row)


class _Router:
    """Ports, tracks and strokes, once boxes have their order and x."""

    def __init__(
        self,
        sizes: Sequence[BlockSize],
        layers: Sequence[int],
        nets: Sequence[_Net],
        cells: Sequence[Cell],
        rows: Sequence[Sequence[int]],
        x: list[float],
    ) -> None:
        self._sizes, self._layers, self._nets = sizes, layers, nets
        self._cells, self._rows, self._x = cells, rows, x
        self._right = max((x[c.number] + c.width / 2 for c in cells), default=0.0)
        self._out: dict[Arrow, float] = {}
        self._gaps: dict[int, list[_Crossing]] = defaultdict(list)
        self._crossings: dict[int, list[tuple[int, _Crossing]]] = defaultdict(list)

    def route(self) -> GraphLayout:
        """Do it; gap ``n`` is below layer ``n``, gap -1 above the first."""
        self._leave()
        self._enter()
        width = self._sides()
        for gap in range(-1, len(self._rows)):
            self._cross(gap)
        tops, height = self._heights()
        boxes = tuple(
            Placed(self._x[n] - size.width / 2, tops[self._layers[n]], size.width, size.height)
            for n, size in enumerate(self._sizes)
        )
        ports = {
            arrow: (x, boxes[arrow.source].y + boxes[arrow.source].height)
            for arrow, x in self._out.items()
        }
        routes = tuple(self._strokes(net, tops) for net in self._nets)
        return GraphLayout(width, height, boxes, routes, ports)

    def _leave(self) -> None:
        """Ports below boxes, ordered by where the arrows go."""
        leaving: dict[int, list[tuple[float, Arrow]]] = defaultdict(list)
        for net in self._nets:
            for arrow in net.sources:
                following = net.lanes.get(self._layers[arrow.source] + 1, net.target)
                goal = self._right + 1 if net.upwards else self._x[following]
                leaving[arrow.source].append((goal, arrow))
        for source, found in leaving.items():
            found.sort(key=lambda each: (each[0], each[1].kind, each[1].target))
            for (_, arrow), x in zip(found, self._spread(source, len(found), 4), strict=True):
                self._out[arrow] = x

    def _enter(self) -> None:
        """Ports above boxes, ordered by where the arrows come from."""
        entering: dict[int, list[tuple[float, int]]] = defaultdict(list)
        for index, net in enumerate(self._nets):
            last = self._layers[net.target] - 1
            xs = [self._out[each] for each in net.sources if self._layers[each.source] == last]
            if last in net.lanes:
                xs.append(self._x[net.lanes[last]])
            origin = self._right + 1 if net.upwards else sum(xs) / len(xs)
            entering[net.target].append((origin, index))
        for target, found in entering.items():
            found.sort()
            for (_, index), x in zip(found, self._spread(target, len(found), 10), strict=True):
                self._nets[index].tip = x

    def _spread(self, box: int, count: int, narrow: int) -> list[float]:
        width = self._sizes[box].width
        step = min(width / (count + 1), max(24.0, width / narrow * 2))
        return [round(self._x[box] + (n - (count - 1) / 2) * step, 1) for n in range(count)]

    def _sides(self) -> float:
        """Give upward nets their lanes at the right; the width in all."""
        loops = [net for net in self._nets if net.upwards]
        spans = sorted(
            (max(self._layers[a.source] for a in net.sources) - self._layers[net.target], index)
            for index, net in enumerate(loops)
        )
        lanes: list[list[tuple[int, int]]] = []
        for _, index in spans:
            net = loops[index]
            top = self._layers[net.target] - 1
            bottom = max(self._layers[arrow.source] for arrow in net.sources)
            for number, taken in enumerate(lanes):  # noqa: B007 - used behind the loop
                if all(bottom < high or low < top for high, low in taken):
                    break
            else:
                number = len(lanes)
                lanes.append([])
            lanes[number].append((top, bottom))
            net.side = self._right + SPACE + LANE * number
        return self._right + (SPACE + LANE * len(lanes) if lanes else 0.0)

    def _cross(self, gap: int) -> None:
        """Pins and tracks of everything between layer ``gap`` and the next."""
        found = []
        for net in self._nets:
            above = [
                (self._out[each], self._sizes[each.source].height)
                for each in net.sources
                if self._layers[each.source] == gap
            ]
            if net.upwards:
                if above:
                    found.append(_Crossing(net, above, None, to_side=True))
                if self._layers[net.target] - 1 == gap:
                    found.append(_Crossing(net, [], net.tip, to_side=True))
                continue
            if gap in net.lanes:
                above.append((self._x[net.lanes[gap]], 0.0))
            if above:
                below = net.lanes.get(gap + 1)
                x = net.tip if below is None else self._x[below]
                found.append(_Crossing(net, above, x, to_side=False))
        self._part(found, gap)
        tracks: list[float] = []  # rightmost end on each
        for crossing in sorted(found, key=_reach):
            left, right = _reach(crossing)
            if left == right:
                continue
            for track, end in enumerate(tracks):  # noqa: B007 - used behind the loop
                if end + TRACK < left:
                    break
            else:
                track = len(tracks)
                tracks.append(right)
            tracks[track], crossing.track = right, track
        self._gaps[gap] = found
        for crossing in found:
            self._crossings[id(crossing.net)].append((gap, crossing))

    def _part(self, found: Sequence[_Crossing], gap: int) -> None:
        """Move pins below that are right under another net's pin: their lines would run as one."""
        uppers = [(x, crossing.net) for crossing in found for x, _ in crossing.above]
        taken: dict[int, list[_Net]] = defaultdict(list)
        for x, net in uppers:
            taken[round(x)].append(net)
        for crossing in found:
            if crossing.below is None:
                continue
            for shift in (0, 4, -4, 2, -2, 5, -5):
                near = range(round(crossing.below) + shift - 1, round(crossing.below) + shift + 2)
                if all(net is crossing.net for x in near for net in taken.get(x, [])):
                    break
            else:
                shift = 0
            crossing.below += shift
            lane = crossing.net.lanes.get(gap + 1)
            if lane is None or crossing.net.upwards:
                crossing.net.tip = crossing.below
            else:
                self._x[lane] = crossing.below

    def _heights(self) -> tuple[list[float], float]:
        """Upper edge of each layer (one more: the lower edge of all), and the height in all."""
        tops = []
        y = 0.0
        for layer in range(-1, len(self._rows)):
            if layer >= 0:
                tops.append(y)
                y += max((self._height(number) for number in self._rows[layer]), default=0.0)
            crossings = self._gaps[layer]
            if crossings:
                used = 1 + max(crossing.track for crossing in crossings)
                y += ARROW + LABEL + TRACK * used
        return tops, y

    def _height(self, cell: int) -> float:
        return 0.0 if self._cells[cell].is_lane else self._sizes[cell].height

    def _strokes(self, net: _Net, tops: Sequence[float]) -> Route:
        strokes: list[tuple[float, float, float, float]] = []
        sides: list[float] = []
        tip = tops[self._layers[net.target]]
        for gap, crossing in self._crossings[id(net)]:
            level = self._level(gap, tops, crossing.track)
            top = tops[gap] if gap >= 0 else 0.0
            bottom = tops[gap + 1] if gap + 1 < len(tops) else level
            left, right = _reach(crossing)
            if left == right and not crossing.to_side:
                strokes.append((left, top + crossing.above[0][1], left, bottom))
                continue
            strokes.extend((x, top + height, x, level) for x, height in crossing.above)
            strokes.append((left, level, right, level))
            if crossing.to_side:
                sides.append(level)
            if crossing.below is not None:
                strokes.append((crossing.below, level, crossing.below, bottom))
        if sides:
            strokes.append((net.side, max(sides), net.side, min(sides)))
        return Route(net.kind, net.target, net.upwards, tuple(strokes), (net.tip, tip))

    def _level(self, gap: int, tops: Sequence[float], track: int) -> float:
        band = 0.0
        if gap >= 0:
            band = tops[gap] + max((self._height(n) for n in self._rows[gap]), default=0.0)
        return band + LABEL + TRACK * max(track, 0)


def _reach(crossing: _Crossing) -> tuple[float, float]:
    xs = [x for x, _ in crossing.above]
    if crossing.below is not None:
        xs.append(crossing.below)
    if crossing.to_side:
        xs.append(crossing.net.side)
    return min(xs), max(xs)
