"""The operator pages under /admin/reports and /admin/onboarding.

``reports`` composes the first page of sections; each section is a module with a function of that name, which gives
its template's context. Everything else is one page a module.
"""
