"""What the benches share: rows of figures as a table and as JSON."""

import json


def row(name, unit, ours, theirs, peer_name, digits=1):
    """One figure of Lodge's beside its peer's; either may be None."""
    return {"name": name, "unit": unit, "lodge": None if ours is None else round(ours, digits),
            "peer": None if theirs is None else round(theirs, digits),
            "peer_name": peer_name if theirs is not None else None,
            "ratio": round(ours / theirs, 3) if ours is not None and theirs else None}


def print_table(rows):
    """rows: pairs of a row and what it is."""
    width = max(len(r["name"]) for r, _ in rows) + 2
    print(f"{'':<{width}}{'unit':<6}{'lodge':>9}{'peer':>9}{'ratio':>7}  {'of':<10}what")
    for r, what in rows:
        shown = ["-" if r[key] is None else r[key] for key in ("lodge", "peer", "ratio")]
        print(f"{r['name']:<{width}}{r['unit']:<6}{shown[0]:>9}{shown[1]:>9}{shown[2]:>7}  "
              f"{r['peer_name'] or '-':<10}{what}")


def write_json(path, rows):
    with open(path, "w", encoding="utf-8") as out:
        json.dump([r for r, _ in rows], out, indent=1)
        out.write("\n")
