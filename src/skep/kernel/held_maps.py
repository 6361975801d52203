"""Maps that a program uses, found by id, whatever is pinned now.

A program holds the maps it was loaded with. Their ids are in its information, which is read twice:
once for their number, once for the ids.
"""

import ctypes

from skep.kernel.attributes import BpfCommand, ProgramInfo
from skep.kernel.information import open_by_id, read_info
from skep.kernel.maps import LoadedMap


def held_maps(program: int) -> dict[int, str]:
    """Names of the maps that a program holds, by id; a name has at most 15 characters.

    Raises:
        KernelObjectMissing: there is no such program (any more).
        SkepError: of the family of the error number.
    """
    with open_by_id(BpfCommand.PROG_GET_FD_BY_ID, program, "program") as descriptor:
        what = f"program {program}"
        count = int(read_info(descriptor, ProgramInfo(), what).nr_map_ids)
        ids = (ctypes.c_uint32 * count)()
        # Where to put them; a program's maps do not change, so there are as many as before.
        asked = ProgramInfo(nr_map_ids=count, map_ids=ctypes.addressof(ids))
        read_info(descriptor, asked, what)
        found = {}
        for identity in ids:
            with open_map(identity) as held:  # it is there: the program that holds it is open
                found[identity] = held.name
    return found


def open_map(identity: int) -> LoadedMap:
    """The map with an id.

    Raises:
        KernelObjectMissing: there is none (any more).
        SkepError: of the family of the error number.
    """
    return LoadedMap(open_by_id(BpfCommand.MAP_GET_FD_BY_ID, identity, "map"))
