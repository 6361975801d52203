"""How property tests draw: always the same, so that none of them fails by chance.

What nobody has drawn yet is looked for with ``--hypothesis-profile=exploring``, which draws anew
each time. No profile minds how long a draw takes: the tests beside it may keep the machine busy.
"""

from hypothesis import HealthCheck, settings

_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("exploring", _PATIENT, print_blob=True)
settings.register_profile("suite", _PATIENT, derandomize=True)
settings.load_profile("suite")
