from __future__ import annotations

from django.urls import path

from access import people, views

app_name = "access"
urlpatterns = [
    path("sign-in/", views.sign_in, name="sign_in"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("account/", views.profile, name="profile"),
    path("account/password/", views.password, name="password"),
    path("people/", people.people, name="people"),
    path("people/add/", people.person_add, name="person_add"),
    path("people/<int:pk>/", people.person_detail, name="person"),
    path("people/<int:pk>/roles/", people.role_give, name="role_give"),
    path("people/<int:pk>/roles/<int:assignment_id>/take/", people.role_take, name="role_take"),
    path("people/<int:pk>/deactivate/", people.person_deactivate, name="person_deactivate"),
    path(
        "people/<int:pk>/renew-password/",
        people.person_renew_password,
        name="person_renew_password",
    ),
    path("people/environments/", people.environments, name="environments"),
    path("people/environments/add/", people.environment_add, name="environment_add"),
    path("people/environments/<int:pk>/", people.environment_edit, name="environment_edit"),
]
